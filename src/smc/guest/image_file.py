"""The files of a disk image that a check looks at, taken out without root and without mounting anything.

Of ext2, ext3 and ext4 debugfs reads single files; names and places of what is written here are ours, so a
hostile image writes nothing elsewhere. Other filesystems need a mount.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from smc.base.errors import UserError
from smc.base.run import Run
from smc.guest.image_parts import READ_SECONDS, Part, in_one_piece, parts_of
from smc.guest.volumes import Volume
from smc.model.disk import Role
from smc.model.server import Firmware

CONVERT_SECONDS = 3600.0
FORMATS = ("qcow2", "vmdk", "vdi", "vhdx", "vpc")
READABLE = ("ext2", "ext3", "ext4")
FOLDERS = (  # all their files are taken out
    *("/etc", "/etc/default", "/etc/default/grub.d", "/etc/selinux", "/etc/cloud", "/etc/cloud/cloud.cfg.d"),
    *("/etc/netplan", "/etc/network", "/etc/network/interfaces.d", "/etc/systemd/network", "/etc/kernel"),
    *("/etc/NetworkManager/system-connections", "/etc/sysconfig/network-scripts", "/etc/sysconfig/network"),
    *("/boot", "/boot/grub", "/boot/grub2", "/boot/loader", "/boot/loader/entries"),
)
NAMES_ONLY = (  # of these it is told what there is
    *("/usr/bin", "/usr/sbin", "/usr/local", "/usr/local/share", "/usr/local/bin", "/usr/lib/systemd"),
    *("/bin", "/sbin", "/usr/lib/x86_64-linux-gnu/systemd", "/lib/systemd"),
)
SINGLE = ("/usr/lib/os-release",)
MODULES = ("/usr/lib/modules", "/lib/modules")
OF_MODULES = ("modules.dep", "modules.builtin", "pkgbase")
PROGRAM = "/usr/bin/env"  # tells the architecture
BOOT_FOLDERS = tuple(path for path in FOLDERS if path.startswith("/boot"))
LISTED = re.compile(r"^/\d+/(?P<mode>\d{6})/\d+/\d+/(?P<name>[^/]+)/\d*/$")
SAFE = re.compile(r"^[^\s/\"]+$")  # a name that debugfs takes as one word
LINKED = re.compile(r'^Fast link dest: "(?P<target>[^"\n]+)"$', re.MULTILINE)
REGULAR, FOLDER, LINK = "100", "040", "120"  # what a mode in octal starts with


class Opened(NamedTuple):
    """`raw`: the image itself, or its content in a file beside."""

    image: Path
    raw: Path
    parts: tuple[Part, ...]

    @property
    def firmware(self) -> Firmware:
        roles = {part.role for part in self.parts}
        return Firmware.UEFI if Role.ESP in roles and Role.BIOS_BOOT not in roles else Firmware.BIOS


def open_image(image: Path, folder: Path, run: Run) -> Opened:
    """Raises `UserError` for what is no image of a known kind, `CommandFailed` without tools."""
    raw = _raw(image, folder, run)
    return Opened(image, raw, parts_of(raw, run))


def take_out(opened: Opened, folder: Path, run: Run) -> tuple[Volume, ...]:
    """Fill `folder`/root. Raises `UserError` for what cannot be read so."""
    tree = folder / "root"
    tree.mkdir()
    parts = [in_one_piece(part, folder) if part.filesystem in READABLE else part for part in opened.parts]
    system = next((part for part in parts if _is_system(part, run)), None)
    if system is None:
        kinds = ", ".join(sorted({part.kind for part in parts})) or "no partition"
        raise UserError(
            f"{opened.image} has no root filesystem that can be read without mounting it (it holds {kinds})",
            code="Image.NotReadable",
            hint="Mount it read-only and give the folder: smc image check --root FOLDER",
        )
    _Reader(system, tree, run).take(FOLDERS)
    for part in parts:
        if part is not system and part.filesystem in READABLE and _is_boot(part, run):
            _Reader(part, tree, run, base="/boot").take(BOOT_FOLDERS)
    return tuple(part.volume for part in parts)


def _raw(image: Path, folder: Path, run: Run) -> Path:
    if not image.is_file():
        raise UserError(f"{image} is no file", code="Image.NotFound")
    image = image.resolve()  # an absolute path: qemu-img takes none for an option or a protocol
    told = json.loads(run("qemu-img", "info", "--output=json", image, timeout=READ_SECONDS).stdout)
    kind = str(told.get("format", ""))
    if kind == "raw":
        return image
    if kind not in FORMATS:
        raise UserError(
            f"{image} has the format {kind}, which is not read here",
            code="Image.NotReadable",
            hint=f"Convert it to one of {', '.join(FORMATS)} with qemu-img.",
        )
    if others := others_of(told):
        raise UserError(
            f"{image} is not whole by itself: it names {', '.join(others)} for its content",
            code="Image.NotReadable",
            hint="Make one file of it: qemu-img convert -O qcow2 IMAGE WHOLE_IMAGE",
        )
    raw = folder / "raw"
    run("qemu-img", "convert", "-f", kind, "-O", "raw", image, raw, timeout=CONVERT_SECONDS)  # sparse
    return raw


def others_of(told: Mapping[str, Any]) -> list[str]:  # Any: the JSON of qemu-img info
    """Files that the image names for its content: a hostile one names those of this machine."""
    data = told.get("format-specific", {}).get("data", {})
    extents = (extent.get("filename", "") for extent in data.get("extents", ()))
    named = [told.get("backing-filename"), data.get("data-file"), *extents]
    return [name for name in named if name and name != told.get("filename")]


def _is_system(part: Part, run: Run) -> bool:
    return part.filesystem in READABLE and {"etc", "usr"} <= {n for _, n in _listed(part, "/", run)}


def _is_boot(part: Part, run: Run) -> bool:
    return any(name.startswith(("vmlinuz", "Image")) for _, name in _listed(part, "/", run))


def _listed(part: Part, path: str, run: Run) -> list[tuple[str, str]]:
    return list(_entries(_debugfs(part, [f"ls -p {path}"], run)))


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """(kind, name) of each entry that `ls -p` tells; odd names are left out."""
    for line in text.splitlines():
        match = LISTED.match(line.strip())
        if match and match["name"] not in {".", ".."} and SAFE.match(match["name"]):
            yield match["mode"][:3], match["name"]


def _debugfs(part: Part, commands: Sequence[str], run: Run) -> str:
    device = f"{part.file}?offset={part.start}"
    # -c: without reading the bitmaps, as nothing is written; -f -: commands from standard input
    words = ("debugfs", "-c", "-f", "-", device)
    return run(*words, timeout=READ_SECONDS, stdin="".join(f"{line}\n" for line in commands)).stdout


class _Reader:
    """Files of one ext filesystem; `base` is where the image mounts it."""

    def __init__(self, part: Part, tree: Path, run: Run, base: str = "") -> None:
        self._part, self._tree, self._run, self._base = part, tree, run, base

    def take(self, folders: Iterable[str]) -> None:
        if not self._base:
            for kind, name in self._list("/"):
                if kind == LINK:
                    self._link(f"/{name}")
            for folder in NAMES_ONLY:
                for kind, name in self._list(folder):
                    place = self._place(f"{folder}/{name}")
                    place.mkdir(exist_ok=True) if kind == FOLDER else place.touch()
            self._dump([*SINGLE, PROGRAM, *self._of_modules()])
        wanted = []
        for folder in folders:
            self._place(f"{folder}/x")
            for kind, name in self._list(folder):
                wanted += [f"{folder}/{name}"] if kind == REGULAR else []
                if kind == LINK:
                    self._link(f"{folder}/{name}")
        self._dump(wanted)

    def _of_modules(self) -> list[str]:
        return [
            f"{base}/{version}/{name}"
            for base in MODULES
            for kind, version in self._list(base)
            if kind == FOLDER
            for name in OF_MODULES
        ]

    def _list(self, folder: str) -> list[tuple[str, str]]:
        """Nothing where the way leads over a link: what it leads to is looked at by its own name."""
        steps = [part for part in folder.split("/") if part]
        if any(self._tree.joinpath(*steps[: n + 1]).is_symlink() for n in range(len(steps))):
            return []
        return _listed(self._part, self._inside(folder), self._run)

    def _link(self, path: str) -> None:
        told = _debugfs(self._part, [f"stat {self._inside(path)}"], self._run)
        match = LINKED.search(told)
        place = self._place(path)
        if match and not place.is_symlink() and not place.exists():
            place.symlink_to(match["target"])  # root.py never follows it out of the tree

    def _dump(self, paths: Iterable[str]) -> None:
        lines = []
        for path in paths:
            place = self._place(path)
            if place.is_symlink():
                place.unlink()  # another filesystem's, or a second entry of the name: debugfs would follow
            lines.append(f"dump {self._inside(path)} {place}")
        _debugfs(self._part, lines, self._run)

    def _inside(self, path: str) -> str:
        return path.removeprefix(self._base) or "/"

    def _place(self, path: str) -> Path:
        """Where a file of the image goes; its folders are real ones, whatever the image has for them."""
        at = self._tree
        *folders, last = path.strip("/").split("/")
        for name in folders:
            at /= name
            if at.is_symlink() or at.is_file():
                at.unlink()
            at.mkdir(exist_ok=True)
        return at / last
