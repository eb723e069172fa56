"""The programs that make an initramfs: how each is found, called, and told of drivers. A new one is a row."""

import re
from collections.abc import Callable, Sequence

import msgspec

from smc.guest.detect import Kernel
from smc.guest.drivers import module_name
from smc.guest.root import Root
from smc.guest.settings import parse, replaced

WHY_MODULES = "drivers for the new machine's disks belong in every initramfs"
WAITS = re.compile(
    r"(?:^|/)(?:hooks/initqueue/finished/devexists-(?P<hook>\S+)\.sh"
    r"|initrd(?:-root-device)?\.target\.(?:wants|requires)/(?P<unit>dev-\S+)\.device)$"
)
DRACUT_MODULES = ("/usr/lib/dracut/modules.d", "/usr/share/dracut/modules.d")
DRACUT_ADDS = re.compile(r"^[ \t]*(?:force_)?add_dracutmodules\+?=[\"']([^\"'\n]*)[\"'].*$", re.MULTILINE)
OTHER_VOLUMES = re.compile(r"(?:^|/)etc/(?:lvm/devices/\S+\.devices|cmdline\.d/\S*lvm\S*\.conf)$")
HOOKS = re.compile(r"^HOOKS=\(([^)]*)\)", re.MULTILINE)
WHY_LVM = "the root filesystem is on LVM on the new machine"
ENCODED = re.compile(r"\\x([0-9a-fA-F]{2})")


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """Words take {version}, {name} and {image} of a kernel."""

    name: str
    program: str
    rebuild: tuple[str, ...]
    names: tuple[str, ...]  # prints the names inside the image whose path is appended
    settings: str  # the file that tells it of drivers
    add: Callable[[str, Sequence[str]], str]  # (its text, drivers) -> its text with them
    resume: str = ""  # file that may hold RESUME=
    state: tuple[str, ...] = ("/boot",)  # folders that a rebuild writes to


def tool_of(root: Root) -> Tool | None:
    """The one that is installed; None when the images come from elsewhere."""
    return next((tool for tool in TOOLS if _installed(root, tool)), None)


def _installed(root: Root, tool: Tool) -> bool:
    return any(
        root.exists(f"{folder}/{tool.program}") for folder in ("/usr/sbin", "/usr/bin", "/sbin", "/bin")
    )


def add_modules(root: Root, tool: Tool, names: Sequence[str]) -> None:
    text = root.read(tool.settings) or ""
    new = tool.add(text, names)
    if new != text:
        root.write(tool.settings, new, WHY_MODULES)


def without_absent_modules(root: Root, tool: Tool) -> None:
    """dracut fails on a module of its own that is not installed: images for clouds ask for network-legacy."""
    there = {name.lstrip("0123456789") for folder in DRACUT_MODULES for name in root.names(folder)}
    if tool.name != "dracut" or not there:
        return
    for path in ("/etc/dracut.conf", *root.files("/etc/dracut.conf.d", suffix=".conf")):
        text = root.read(path) or ""
        asked = {name for line in DRACUT_ADDS.findall(text) for name in line.split()}
        if absent := sorted(asked - there):
            new = DRACUT_ADDS.sub(lambda match: f"#{match[0]}", text)
            why = f"asks dracut for {', '.join(absent)}, which is not installed: no initramfs could be made"
            root.write(path, new, why)


def words(template: Sequence[str], kernel: Kernel, image: str) -> list[str]:
    return [word.format(version=kernel.version, name=kernel.name, image=image) for word in template]


def waits_for(names: Sequence[str]) -> list[str]:
    """Devices that an image made by dracut for one machine only waits for before it mounts anything."""
    found = []
    for name in names:
        match = WAITS.search(name)
        if match and match["hook"]:
            found.append(_decoded(match["hook"]))
        elif match:
            found.append("/" + _decoded(match["unit"].replace("-", "/")))
    return sorted(set(found))


def why_unmapped(names: Sequence[str]) -> str:
    """Why an image does not switch on the logical volumes of this copy, "" if it does."""
    if not any(name.rsplit("/", 1)[-1] == "lvm" and "bin/" in name for name in names):
        return "it has no program lvm"
    ties = sorted(name for name in names if OTHER_VOLUMES.search(name))
    return f"{', '.join(ties)} admits only what the old machine had" if ties else ""


def add_lvm(root: Root, tool: Tool) -> None:
    """Others take LVM into an image by themselves when lvm2 is installed."""
    text = root.read(tool.settings) or ""
    lines = list(HOOKS.finditer(text)) if tool.name == "mkinitcpio" else []
    if lines and "lvm2" not in lines[-1][1].split():
        hooks = lines[-1][1].split()
        at = hooks.index("filesystems") if "filesystems" in hooks else len(hooks)
        line = f"HOOKS=({' '.join([*hooks[:at], 'lvm2', *hooks[at:]])})"
        root.write(tool.settings, text[: lines[-1].start()] + line + text[lines[-1].end() :], WHY_LVM)


def _decoded(text: str) -> str:
    return ENCODED.sub(lambda match: chr(int(match[1], 16)), text)


def _as_lines(text: str, names: Sequence[str]) -> str:
    """initramfs.conf(5), modules: one name a line."""
    listed = {module_name(line.split()[0]) for line in text.splitlines() if line.strip() and line[0] != "#"}
    gap = "" if not text or text.endswith("\n") else "\n"
    lines = [f"{name}\n" for name in names if name not in listed]
    return text + gap + "".join(lines) if lines else text


def _as_dracut(text: str, names: Sequence[str]) -> str:
    """dracut.conf(5): the file is ours alone."""
    listed = [name for line in re.findall(r'add_drivers\+="([^"]*)"', text) for name in line.split()]
    return f'add_drivers+=" {" ".join([*listed, *(n for n in names if n not in listed)])} "\n'


def _as_mkinitcpio(text: str, names: Sequence[str]) -> str:
    """mkinitcpio.conf(5): an array of a shell; of several lines the last counts."""
    lines = list(re.finditer(r"^MODULES=\(([^)]*)\)", text, re.MULTILINE))
    listed = lines[-1][1].split() if lines else []
    line = f"MODULES=({' '.join([*listed, *(n for n in names if n not in listed)])})"
    if not lines:
        return f"{text}{line}\n"
    return text[: lines[-1].start()] + line + text[lines[-1].end() :]


def _as_mkinitrd(text: str, names: Sequence[str]) -> str:
    """/etc/sysconfig/kernel of SUSE before dracut."""
    listed = parse(text).get("INITRD_MODULES", "").split()
    value = " ".join([*listed, *(n for n in names if n not in listed)])
    return replaced(text, "INITRD_MODULES", value) if "INITRD_MODULES" in parse(text) else (
        f'{text}INITRD_MODULES="{value}"\n'
    )  # fmt: skip


TOOLS = (
    Tool(
        name="initramfs-tools",
        program="update-initramfs",
        rebuild=("update-initramfs", "-u", "-k", "{version}"),
        names=("lsinitramfs",),
        settings="/etc/initramfs-tools/modules",
        add=_as_lines,
        resume="/etc/initramfs-tools/conf.d/resume",
        state=("/boot", "/var/lib/initramfs-tools"),
    ),
    Tool(
        name="dracut",
        program="dracut",
        # for any machine: the devices that it would look at are those of the intermediate instance
        rebuild=("dracut", "--force", "--no-hostonly", "{image}", "{version}"),
        names=("lsinitrd",),  # prints as `ls -l` does: the names stand last, or before ->
        settings="/etc/dracut.conf.d/90-smc-drivers.conf",
        add=_as_dracut,
    ),
    Tool(
        name="mkinitcpio",
        program="mkinitcpio",
        rebuild=("mkinitcpio", "--skiphooks", "autodetect", "-k", "{version}", "-g", "{image}"),
        names=("lsinitcpio",),
        settings="/etc/mkinitcpio.conf",
        add=_as_mkinitcpio,
    ),
    Tool(
        name="mkinitrd",
        program="mkinitrd",
        rebuild=("mkinitrd", "-k", "vmlinuz-{version}", "-i", "initrd-{version}"),
        names=("lsinitrd",),
        settings="/etc/sysconfig/kernel",
        add=_as_mkinitrd,
    ),
)
