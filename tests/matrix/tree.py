"""The packages of a source, unpacked: a tar made on this host by mmdebstrap from any suite of its mirror."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from demo.stages import Failed
from tests.matrix import besides

from smc.base.run import run
from smc.localcloud import apt
from smc.localcloud.bake import CACHE, LEFT_OUT

SHELF = CACHE / "matrix"
TREE_SECONDS = 1800.0  # measured 90 s; a slow mirror takes longer
ARCHIVES = "/var/cache/apt/archives"
CONF = "/etc/initramfs-tools/conf.d"  # Debian packs at a level that costs an emulated machine minutes
DRIVERS_LEFT_OUT = (  # of hardware that no machine of the matrix has: half of a tree
    *("bluetooth", "comedi", "gpu", "hid", "hwmon", "iio", "infiniband", "isdn", "media", "mmc"),
    *("net/can", "net/dsa", "net/ethernet", "net/phy", "net/usb", "net/wireless", "net/wwan"),
    *("platform", "power", "scsi/bfa", "scsi/lpfc", "scsi/qla2xxx", "staging", "usb", "video"),
)
FOLDERS_LEFT_OUT = ("sound", "net/bluetooth", "net/mac80211", "net/wireless")  # of kernel/
BASE = (
    *("systemd", "systemd-sysv", "udev", "dbus", "kmod", "iproute2", "procps", "openssh-server"),
    *("curl", "ca-certificates", "e2fsprogs", "linux-image-amd64", "initramfs-tools", "zstd"),
)
START = {
    "bios-grub": ("grub-pc",),
    "uefi-grub": ("grub-efi-amd64", "dosfstools"),
    "uefi-sdboot": ("systemd-boot", "dosfstools"),
}
ROOT = {
    "ext4": (),
    "xfs": ("xfsprogs",),
    "btrfs": ("btrfs-progs",),
    "lvm": ("lvm2",),
    "mdraid": ("mdadm",),
    "luks": ("cryptsetup-initramfs",),
}
NETWORK = {
    "ifupdown": ("ifupdown",),
    "networkd": (),
    "nm": ("network-manager",),
    "netplan": ("netplan.io",),
}
DHCP_CLIENT = {"bullseye": "isc-dhcp-client", "bookworm": "isc-dhcp-client"}  # for ifupdown; else dhcpcd


def packages(row: dict[str, str]) -> tuple[str, ...]:
    """`with` names some that a test wants besides; no row of the matrix has it."""
    chosen = (*BASE, *START[row["start"]], *ROOT[row["root"]], *NETWORK[row["network"]])
    if row["network"] == "ifupdown":
        chosen += (DHCP_CLIENT.get(row["suite"], "dhcpcd-base"),)
    if more := besides.of(row):
        chosen = (*(name for name in chosen if name not in more.instead_of), *more.packages)
    return (*chosen, *row.get("with", "").split())


def make_tree(row: dict[str, str], tar: Path, *, hooks: Sequence[str] = ()) -> None:
    """Write the tree of the row to `tar`; `hooks` change it when it has its packages.

    Raises `Failed` where this host names no mirror of Debian.
    """
    own = apt.host_distribution()
    mirror = next((source for source in own.sources if source.suite == own.codename), None)
    if own.id != "debian" or mirror is None:
        raise Failed("the matrix is made of Debian's suites, and apt on this host names no mirror of them")
    kept = SHELF / "packages" / row["suite"]
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tree-", dir=SHELF) as work:
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": str(Path.home()),
            "TMPDIR": work,
        }
        words = _mmdebstrap(row, msgspec.structs.replace(mirror, suite=row["suite"]), kept, hooks, tar)
        run(*words, timeout=TREE_SECONDS, env=environment)


def _mmdebstrap(
    row: dict[str, str], mirror: apt.Source, kept: Path, hooks: Sequence[str], tar: Path
) -> list[str]:
    return [
        *("setpriv", "--pdeathsig=TERM", "mmdebstrap", "--mode=auto", "--variant=minbase", "--format=tar"),
        f"--include={','.join(packages(row))}",
        *(f"--aptopt={option}" for option in apt.fetch_options()),
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={path}" for path in (*LEFT_OUT, *_modules_left_out())),
        # links /bin and the like before the first package, which suites since trixie take for granted
        "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr",
        *("--skip=download/empty", "--skip=essential/unlink"),  # or it refuses and removes kept packages
        f'--setup-hook=mkdir -p "$1{ARCHIVES}"',
        f"--setup-hook=sync-in {kept} {ARCHIVES}",
        f'--essential-hook=mkdir -p "$1{CONF}" && echo COMPRESSLEVEL=1 > "$1{CONF}/level"',
        *(f"--customize-hook={hook}" for hook in hooks),
        f"--customize-hook=sync-out {ARCHIVES} {kept}",
        f'--customize-hook=rm -rf "$1{ARCHIVES}" && mkdir -p "$1{ARCHIVES}/partial"',
        '--customize-hook=truncate --size=0 "$1/etc/machine-id"',
        *(row["suite"], str(tar), mirror.line()),
    ]


def _modules_left_out() -> list[str]:
    drivers = [f"drivers/{folder}" for folder in DRIVERS_LEFT_OUT]
    return [f"*/lib/modules/*/kernel/{folder}/*" for folder in (*drivers, *FOLDERS_LEFT_OUT)]


def free_space() -> int:
    """Bytes that the shelf may still take."""
    SHELF.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(SHELF).free
