"""Machines beside the pairs: what Debian has if somebody chose it, and how one sees it on the copy too."""

import msgspec

SELINUX_LABELLED = (
    "/etc/passwd /etc/fstab /etc/systemd/system /etc/network/interfaces /boot/grub/grub.cfg /srv/marker"
)
SELINUX_WHOLE = "/boot /etc /root /usr"  # where any label that is not the policy's is told
# its initramfs is as if made on a machine that has none of these
DRACUT = r"""
echo 'compress="zstd -1 -q -T0"' > "$1/etc/dracut.conf.d/level.conf" # as tree.py has it for the other tool
lacking="virtio_blk virtio_net virtio_pci virtio_scsi"
for image in "$1"/boot/initrd.img-*; do
    chroot "$1" dracut --force --no-hostonly --omit-drivers "$lacking" "${image#"$1"}" "${image#*img-}"
done
"""
SELINUX = r"""
printf 'SELINUX=enforcing\nSELINUXTYPE=default\n' > "$1/etc/selinux/config"
more='GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX security=selinux selinux=1"'
mkdir -p "$1/etc/default/grub.d"
echo "$more" > "$1/etc/default/grub.d/selinux.cfg"
"""


class Besides(msgspec.Struct, frozen=True, kw_only=True):
    """`asked` is run on source and copy: the first line is as said here, the others are the same on both."""

    packages: tuple[str, ...]
    instead_of: tuple[str, ...] = ()  # of those that every row has
    hooks: tuple[str, ...]  # of mmdebstrap, whose $1 is the tree
    asked: str
    source_says: str
    copy_says: str


BESIDES = {
    "dracut": Besides(
        packages=("dracut",),
        instead_of=("initramfs-tools",),
        hooks=(DRACUT,),
        asked=(
            "lsinitrd /boot/initrd.img-$(uname -r) > /run/listed && grep -c /virtio_blk.ko /run/listed;"
            " grep -c '^dracut modules:' /run/listed; ls /usr/sbin/update-initramfs 2>&1"
        ),
        source_says="0",
        copy_says="1",
    ),
    "selinux": Besides(
        packages=("selinux-policy-default", "policycoreutils", "selinux-utils"),
        hooks=(SELINUX,),
        asked=f"getenforce; ls -Zd {SELINUX_LABELLED}; restorecon -n -r -v {SELINUX_WHOLE} | sort",
        source_says="Enforcing",
        copy_says="Enforcing",
    ),
}


def of(row: dict[str, str]) -> Besides | None:
    return BESIDES.get(row.get("besides", ""))


def hooks(row: dict[str, str]) -> tuple[str, ...]:
    more = of(row)
    return more.hooks if more else ()


def different(besides: Besides, source: str, copy: str) -> str:
    """Why what both said shows that the copy is another; "" when it is the same."""
    source_first, *source_rest = source.splitlines() or ["nothing"]
    copy_first, *copy_rest = copy.splitlines() or ["nothing"]
    for who, said, wanted in (
        ("the source", source_first, besides.source_says),
        ("the copy", copy_first, besides.copy_says),
    ):
        if said != wanted:
            return f"{who} says {said}, not {wanted}"
    return "; ".join(sorted(set(source_rest) ^ set(copy_rest)))
