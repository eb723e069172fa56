"""What an initramfs has to know of an array or of an encrypted disk, chosen before there is a disk.

The initramfs is made with it on this host, natively, and the builder, which is emulated, makes the disk by
it: made anew in the builder an initramfs takes longer than all else there.
"""

import uuid
from hashlib import sha256

KEY_FILE = "/etc/cryptsetup-keys.d/root.key"


def uuid_of(name: str) -> str:
    """Of the array or the encrypted disk below the root of the row that is called so."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def key_of(name: str) -> str:
    """It unlocks a disk with nothing secret on it."""
    return sha256(name.encode()).hexdigest()


def hooks(row: dict[str, str], name: str) -> list[str]:
    """Commands of a shell that write it into the tree `$1` with its packages and make the initramfs."""
    return [*lines, 'chroot "$1" update-initramfs -u'] if (lines := _settings(row, name)) else []


def _settings(row: dict[str, str], name: str) -> list[str]:
    match row["root"]:
        case "mdraid":
            array = f"ARRAY /dev/md0 metadata=1.2 UUID={uuid_of(name)}"
            return [f'mkdir -p "$1/etc/mdadm" && echo "{array}" >> "$1/etc/mdadm/mdadm.conf"']
        case "luks":
            entry = f"root UUID={uuid_of(name)} {KEY_FILE} luks,initramfs"
            return [
                f'printf %s {key_of(name)} | install -D -m 0400 /dev/stdin "$1{KEY_FILE}"',
                f'echo "{entry}" > "$1/etc/crypttab"',
                f'echo KEYFILE_PATTERN={KEY_FILE} >> "$1/etc/cryptsetup-initramfs/conf-hook"',
                'echo UMASK=0077 >> "$1/etc/initramfs-tools/initramfs.conf"',
            ]
        case _:
            return []
