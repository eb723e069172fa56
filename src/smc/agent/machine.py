"""What this machine is: system, hardware, where it runs, how it starts and how busy it is."""

import platform
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from smc.base.errors import UserError
from smc.model.server import Architecture, Dmi, Firmware, OsRelease

ARCHITECTURES = {
    "x86_64": Architecture.X86_64,
    "aarch64": Architecture.ARM64,
    **dict.fromkeys(("i386", "i486", "i586", "i686"), Architecture.I386),
}

# Where a machine runs, by a part of what its firmware says of itself (/sys/class/dmi/id). The first row
# that fits counts: a cloud before the hypervisor it is built on.
ORIGINS = (
    ("chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "azure"),
    ("chassis_asset_tag", "OracleCloud.com", "oracle"),
    ("chassis_asset_tag", "Amazon EC2", "aws"),
    ("sys_vendor", "Amazon EC2", "aws"),
    ("bios_version", "amazon", "aws"),  # Xen instances
    ("sys_vendor", "Google", "gcp"),
    ("sys_vendor", "Alibaba Cloud", "alibaba"),
    ("sys_vendor", "Tencent Cloud", "tencent"),
    ("sys_vendor", "UCloud", "ucloud"),
    ("sys_vendor", "QingCloud", "qingcloud"),
    ("sys_vendor", "CTyun", "china-telecom"),
    ("sys_vendor", "Huawei Cloud", "huawei"),
    ("sys_vendor", "DigitalOcean", "digitalocean"),
    ("sys_vendor", "Hetzner", "hetzner"),
    ("sys_vendor", "Vultr", "vultr"),
    ("sys_vendor", "Linode", "linode"),
    ("sys_vendor", "Akamai", "linode"),
    ("sys_vendor", "Scaleway", "scaleway"),
    ("sys_vendor", "OpenStack", "openstack"),
    ("product_name", "OpenStack", "openstack"),
    ("sys_vendor", "VMware", "vmware"),
    ("product_name", "VMware", "vmware"),
    ("product_name", "VirtualBox", "virtualbox"),
    ("sys_vendor", "innotek", "virtualbox"),
    ("sys_vendor", "Xen", "xen"),
    ("product_name", "HVM domU", "xen"),
    ("sys_vendor", "Nutanix", "nutanix"),
    ("sys_vendor", "oVirt", "ovirt"),
    ("sys_vendor", "Parallels", "parallels"),
    ("product_name", "KVM", "kvm"),
    ("sys_vendor", "QEMU", "kvm"),
    ("bios_vendor", "SeaBIOS", "kvm"),
    ("product_name", "Bochs", "kvm"),
)
HYPER_V = ("Microsoft Corporation", "Virtual Machine")

BOOT_LOADERS = (
    ("grub2", ("boot/grub/grub.cfg", "boot/grub2/grub.cfg")),
    ("systemd-boot", ("boot/loader/loader.conf", "efi/loader/loader.conf", "boot/efi/loader/loader.conf")),
    ("grub1", ("boot/grub/menu.lst", "boot/grub/grub.conf")),
    ("lilo", ("etc/lilo.conf",)),
    ("extlinux", ("boot/extlinux/extlinux.conf", "boot/extlinux.conf")),
)
ESP_FOLDERS = (
    "boot/efi",
    "efi",
    "boot",
)  # RHEL 7 and 8 have their only grub.cfg there when they start by UEFI
TOOLS = (  # a program that shows it, and the name by which it is known
    ("lvm", "lvm2"),
    ("mdadm", "mdadm"),
    ("cryptsetup", "cryptsetup"),
    ("multipath", "multipath"),
    ("cloud-init", "cloud-init"),
    ("dracut", "dracut"),
    ("update-initramfs", "initramfs-tools"),
    ("mkinitcpio", "mkinitcpio"),
    ("mkinitrd", "mkinitrd"),
    ("docker", "docker"),
    ("NetworkManager", "network-manager"),
    ("netplan", "netplan"),
    ("vmtoolsd", "open-vm-tools"),
    ("qemu-ga", "qemu-guest-agent"),
)
PROGRAM_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin", "usr/local/sbin", "usr/local/bin")


def read_os(root: Path = Path("/")) -> OsRelease:
    """os-release(5); what is older than that file tells by one line of its own."""
    for path in ("etc/os-release", "usr/lib/os-release"):
        if text := read_text(root / path):
            values = dict(_assignments(text))
            return OsRelease(
                id=values.get("ID", "linux"),
                version_id=values.get("VERSION_ID", ""),
                pretty_name=values.get("PRETTY_NAME", ""),
                id_like=tuple(values.get("ID_LIKE", "").split()),
            )
    line = read_text(root / "etc/redhat-release")
    if match := re.match(r"(?i)(centos|red hat).*?release (\d\S*)", line):
        kind = "centos" if match[1].lower() == "centos" else "rhel"
        return OsRelease(id=kind, version_id=match[2], pretty_name=line, id_like=("rhel", "fedora"))
    return OsRelease(id="linux")


def read_architecture() -> Architecture:
    """Raises `UserError` (`Source.ArchitectureUnsupported`)."""
    name = platform.machine()
    if name not in ARCHITECTURES:
        raise UserError(
            f"servers of the architecture {name} cannot be moved",
            code="Source.ArchitectureUnsupported",
            hint=f"It can be one of {', '.join(kind.value for kind in Architecture)}.",
        )
    return ARCHITECTURES[name]


def read_firmware(root: Path = Path("/")) -> Firmware:
    return Firmware.UEFI if (root / "sys/firmware/efi").exists() else Firmware.BIOS


def read_dmi(root: Path = Path("/")) -> Dmi:
    folder = root / "sys/class/dmi/id"
    return Dmi(
        vendor=read_text(folder / "sys_vendor"),
        product=read_text(folder / "product_name"),
        uuid=read_text(folder / "product_uuid").lower(),
    )


def read_origin(root: Path = Path("/")) -> str:
    """A cloud, a hypervisor, `virtual` for one that does not say which, or `physical`."""
    folder = root / "sys/class/dmi/id"
    for field, part, origin in ORIGINS:
        if part.lower() in read_text(folder / field).lower():
            return origin
    if (read_text(folder / "sys_vendor"), read_text(folder / "product_name")) == HYPER_V:
        return "hyper-v"
    if read_text(root / "sys/hypervisor/type") == "xen":
        return "xen"
    flags = re.search(r"^flags\s*:(.*)$", read_text(root / "proc/cpuinfo"), re.MULTILINE)
    return "virtual" if flags and "hypervisor" in flags[1].split() else "physical"


def read_boot_loader(root: Path = Path("/")) -> str:
    """As `guest/detect.py` will see it on the copy."""
    found = next((name for name, files in BOOT_LOADERS if any((root / file).exists() for file in files)), "")
    whole = any(path for folder in ESP_FOLDERS for path in (root / folder).glob("EFI/*/grub.cfg"))
    return "grub2" if whole and found != "systemd-boot" else found


def read_tools(root: Path = Path("/")) -> tuple[str, ...]:
    return tuple(
        name
        for program, name in TOOLS
        if any((root / folder / program).exists() for folder in PROGRAM_FOLDERS)
    )


def read_selinux(root: Path = Path("/")) -> str:
    enforce = read_text(root / "sys/fs/selinux/enforce")
    return {"1": "enforcing", "0": "permissive"}.get(enforce, "disabled")


def read_machine_id(root: Path = Path("/")) -> str:
    return read_text(root / "etc/machine-id") or read_text(root / "var/lib/dbus/machine-id")


class Processor(msgspec.Struct, frozen=True, kw_only=True):
    cores: int
    model: str


def read_processor(root: Path = Path("/")) -> Processor:
    text = read_text(root / "proc/cpuinfo")
    model = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    cores = len(re.findall(r"^processor\s*:", text, re.MULTILINE))
    return Processor(cores=max(cores, 1), model=model[1].strip() if model else "")


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """In bytes."""

    total: int
    available: int

    @property
    def usage(self) -> float:
        """Percent."""
        return round(100 * (self.total - self.available) / self.total, 1) if self.total else 0.0


def read_memory(root: Path = Path("/")) -> Memory:
    """Kernels before 3.14 do not say what is available: what is free, or a cache, is."""
    pairs = re.findall(r"^(\w+):\s+(\d+) kB$", read_text(root / "proc/meminfo"), re.MULTILINE)
    values = {name: int(kib) * 1024 for name, kib in pairs}
    spare = sum(values.get(name, 0) for name in ("MemFree", "Buffers", "Cached"))
    return Memory(total=values.get("MemTotal", 0), available=values.get("MemAvailable", spare))


class CpuMeter:
    """Percent of the processors' time that was used since the last reading."""

    def __init__(self, read: Callable[[], str] = Path("/proc/stat").read_text) -> None:
        self._read = read
        self._last = self._times()

    def usage(self) -> float:
        (idle, total), (idle_before, total_before) = self._times(), self._last
        self._last = idle, total
        passed = total - total_before
        return round(100 * (1 - (idle - idle_before) / passed), 1) if passed > 0 else 0.0

    def _times(self) -> tuple[int, int]:
        """Idle (and waiting for a disk), and all: proc(5), the first line of /proc/stat."""
        numbers = [int(word) for word in self._read().splitlines()[0].split()[1:9]]
        return sum(numbers[3:5]), sum(numbers)


def read_text(path: Path) -> str:
    """The file's text without spaces around it; "" where there is none."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _assignments(text: str) -> list[tuple[str, str]]:
    pairs = re.findall(r"^\s*([A-Z_0-9]+)=(.*)$", text, re.MULTILINE)
    return [(name, value.strip().strip("\"'")) for name, value in pairs]
