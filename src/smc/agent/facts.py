"""What a drill wants to know of this machine; each fact is read apart, and what cannot be read is empty."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from smc.agent.home import Home
from smc.agent.hooks import Stage, is_script
from smc.agent.machine import read_text
from smc.agent.mounts import Mount, parse
from smc.model.facts import Facts, FstabEntry, Kernel
from smc.model.traces import AGENT_FOLDER

T = TypeVar("T")
log = logging.getLogger(__name__)

VIRTIO = ("virtio_blk", "virtio_net", "virtio_scsi", "nvme")
IMAGES = ("vmlinuz-{}", "vmlinux-{}", "kernel-{}", "Image-{}")
INITRAMFS = ("initrd.img-{}", "initramfs-{}.img", "initrd-{}", "initrd-{}.img", "initramfs-{}")
FIREWALLS = (  # a file that says so by its content, and what it has then
    ("ufw", "etc/ufw/ufw.conf", re.compile(r"^\s*ENABLED\s*=\s*yes", re.MULTILINE | re.IGNORECASE)),
    ("iptables", "proc/net/ip_tables_names", re.compile(r"filter")),
)
FIREWALL_PROGRAMS = ("firewalld", "nftables", "csf", "lfd")
PROXY = re.compile(r"(?im)^\s*(?:export\s+)?((?:https?|all|ftp)_proxy)\s*=\s*[\"']?(\S+?)[\"']?\s*$")
PROXY_FILES = ("etc/environment", "etc/profile", "etc/apt/apt.conf", "etc/yum.conf", "etc/dnf/dnf.conf")
DATABASES = {
    "mysqld": "MySQL",
    "mariadbd": "MariaDB",
    "postgres": "PostgreSQL",
    "postmaster": "PostgreSQL",
    "mongod": "MongoDB",
    "redis-server": "Redis",
    "oracle": "Oracle",
    "ora_pmon": "Oracle",
    "sqlservr": "SQL Server",
    "db2sysc": "Db2",
    "clickhouse-serv": "ClickHouse",
    "etcd": "etcd",
    "influxd": "InfluxDB",
    "slapd": "OpenLDAP",
    "valkey-server": "Valkey",
}
NETWORK_FILES = (
    ("ifupdown", "etc/network/interfaces"),
    ("netplan", "etc/netplan"),
    ("networkd", "etc/systemd/network"),
    ("NetworkManager", "etc/NetworkManager/system-connections"),
    ("ifcfg", "etc/sysconfig/network-scripts"),
    ("wicked", "etc/sysconfig/network"),
)
INTERFACE = re.compile(r"^\s*iface\s+(?!lo\b)", re.MULTILINE)  # another one than loopback
NETWORK_TYPES = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ceph",
    "glusterfs",
    "9p",
    "fuse.sshfs",
    "davfs",
    "afs",
)
MAPPER = re.compile(r"/dev/(mapper/|dm-|md)")
NO_DEVICES = frozenset(
    {"proc", "sysfs", "tmpfs", "devpts", "devtmpfs", "cgroup", "cgroup2", "debugfs", "none"}
)


def read_facts(root: Path = Path("/"), free: Callable[[Path], int] | None = None) -> Facts:
    """`root` is where boot, etc, lib, proc and sys are found."""
    mounts: list[Mount] = parse(read_text(root / "proc/self/mountinfo"))
    return Facts(
        load=_or(lambda: _load(root), 0.0),
        boot_free=_or(lambda: (free or _free)(root / "boot"), 0),
        kernels=_or(lambda: tuple(_kernels(root)), ()),
        fstab=_or(lambda: tuple(_fstab(root)), ()),
        firewalls=_or(lambda: tuple(_firewalls(root)), ()),
        proxies=_or(lambda: tuple(_proxies(root)), ()),
        databases=_or(lambda: tuple(_databases(root)), ()),
        hooks=_or(lambda: tuple(_hooks(root)), ()),
        network_style=_or(lambda: tuple(_styles(root)), ()),
        foreign_mounts=tuple(_foreign(mounts)),
        mapped=_or(lambda: tuple(_mapped(mounts, root)), ()),
    )


def _or(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except (OSError, ValueError) as e:
        log.info("a fact cannot be read: %s", e)
        return otherwise


def _load(root: Path) -> float:
    cores = len(re.findall(r"^processor\s*:", read_text(root / "proc/cpuinfo"), re.MULTILINE)) or 1
    words = read_text(root / "proc/loadavg").split()
    return round(float(words[0]) / cores, 2) if words else 0.0


def _free(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def _kernels(root: Path) -> Iterator[Kernel]:
    """Those that have modules, and the running one."""
    running = read_text(root / "proc/sys/kernel/osrelease")
    folder = next((f for f in (root / "lib/modules", root / "usr/lib/modules") if f.is_dir()), None)
    versions = {path.name for path in folder.iterdir() if path.is_dir()} if folder else set()
    for version in sorted(versions | ({running} if running else set())):
        modules = folder / version if folder else root / "nowhere"
        yield Kernel(
            version=version,
            image=_first(root / "boot", IMAGES, version)
            or ("modules" if (modules / "vmlinuz").exists() else ""),
            initramfs=_first(root / "boot", INITRAMFS, version),
            virtio=tuple(_drivers(modules)),
            running=version == running,
        )


def _first(folder: Path, names: tuple[str, ...], version: str) -> str:
    found = (name.format(version) for name in names)
    return next((name for name in found if (folder / name).exists()), "")


def _drivers(modules: Path) -> Iterator[str]:
    text = read_text(modules / "modules.builtin") + "\n" + read_text(modules / "modules.dep")
    for name in VIRTIO:
        if re.search(rf"/{name.replace('_', '[-_]')}\.ko", text):
            yield name


def _fstab(root: Path) -> Iterator[FstabEntry]:
    for line in read_text(root / "etc/fstab").splitlines():
        words = line.split()
        if len(words) < 3 or words[0].startswith("#") or words[2] in NO_DEVICES:
            continue
        options = words[3] if len(words) > 3 else ""
        yield FstabEntry(device=words[0], mount_point=words[1], type=words[2], options=options)


def _firewalls(root: Path) -> Iterator[str]:
    for name, path, pattern in FIREWALLS:
        if pattern.search(read_text(root / path)):
            yield name
    running = set(_programs(root))
    yield from (name for name in FIREWALL_PROGRAMS if name in running)


def _proxies(root: Path) -> Iterator[str]:
    for path in PROXY_FILES:
        for name, _ in PROXY.findall(read_text(root / path)):  # its value may hold a password
            yield f"{name} in /{path}"


def _databases(root: Path) -> Iterator[str]:
    """An Oracle process has its instance's name at the end of its own: ora_pmon_ORCL."""
    names = {DATABASES.get(name) or DATABASES.get(name.rpartition("_")[0]) for name in _programs(root)}
    yield from sorted(name for name in names if name)


def _hooks(root: Path) -> Iterator[str]:
    home = Home(root / AGENT_FOLDER.lstrip("/"))
    for stage in Stage:
        folder = home.hooks / stage.value
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        yield from (f"{stage.value}/{path.name}" for path in found if is_script(path))


def _programs(root: Path) -> Iterator[str]:
    """Names of what runs, cut at 15 characters by the kernel."""
    for folder in (root / "proc").iterdir():
        if folder.name.isdecimal():
            yield read_text(folder / "comm")


def _styles(root: Path) -> Iterator[str]:
    for name, path in NETWORK_FILES:
        place = root / path
        has_files = place.is_dir() and any(place.iterdir())
        if has_files or INTERFACE.search(read_text(place) if place.is_file() else ""):
            yield name


def _foreign(mounts: list[Mount]) -> Iterator[tuple[str, str]]:
    for mount in mounts:
        if mount.type in NETWORK_TYPES or mount.type.startswith("fuse."):
            yield mount.point, mount.type


def _mapped(mounts: list[Mount], root: Path) -> Iterator[str]:
    for mount in mounts:
        if MAPPER.match(mount.source):
            yield f"{mount.point} {_kind(mount, root)}"


def _kind(mount: Mount, root: Path) -> str:
    """By the uuid that device-mapper carries: LVM-..., CRYPT-..."""
    if mount.source.startswith("/dev/md"):
        return "raid"
    uuid = read_text(root / "sys/dev/block" / mount.device / "dm/uuid").lower()
    return {"lvm": "lvm", "crypt": "luks", "mpath": "multipath"}.get(uuid.partition("-")[0], "device-mapper")
