"""What a run mounts in its own namespace: by system calls, in the agent's own domain of SELinux.

The program mount(8) has a domain of its own there, which in Debian's policy may not mount over a folder that
the agent made.
"""

from collections.abc import Callable
from pathlib import Path

from smc.base.errors import Broken
from smc.transfer import native

READ_ONLY, REMOUNT, BIND = 0x1, 0x20, 0x1000  # mount(2): MS_RDONLY, MS_REMOUNT, MS_BIND

Mount = Callable[[str, str, str, int, str], None]  # source, target, type, flags, options


def memory(path: Path, do: Mount = native.mount) -> None:
    """A small filesystem in memory, for root alone."""
    _mount(do, "smc", path, "tmpfs", 0, "size=1m,mode=0700")


def read_only(folder: str, path: Path, do: Mount = native.mount) -> None:
    """The filesystem below `folder`, without what is mounted over it."""
    _mount(do, folder, path, "none", BIND, "")
    _mount(do, "none", path, "none", REMOUNT | BIND | READ_ONLY, "")


def subvolume(device: str, name: str, path: Path, do: Mount = native.mount) -> None:
    """One of the btrfs on `device`, by its path in it."""
    _mount(do, device, path, "btrfs", READ_ONLY, f"subvol=/{name}")


def _mount(do: Mount, source: str, path: Path, kind: str, flags: int, options: str) -> None:
    try:
        do(source, str(path), kind, flags, options)
    except OSError as e:
        raise Broken(
            f"{source} could not be mounted at {path} to be read: {e.strerror}",
            code="Agent.MountFailed",
            hint="Look for the reason in the kernel's log of the source (dmesg), then start the job again.",
        ) from e
