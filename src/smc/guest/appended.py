"""Drivers put behind an initramfs, where the system has no program that makes one anew, or that fails.

The kernel unpacks archives one after another, and what comes later replaces what came before
(linux/Documentation/driver-api/early-userspace/buffer-format.rst). So a plain archive with the missing
modules and the kernel's lists of all its modules is enough, for an image whose udev loads what the hardware
asks for.
"""

from collections.abc import Iterator, Sequence

from smc.base.errors import Broken
from smc.guest import cpio
from smc.guest.drivers import module_name
from smc.guest.root import Root

LISTS = (  # of kmod: what depends on what, and what answers to which hardware; .bin are the same as indexes
    "modules.dep", "modules.dep.bin", "modules.alias", "modules.alias.bin", "modules.symbols",
    "modules.symbols.bin", "modules.softdep", "modules.builtin", "modules.builtin.bin",
    "modules.builtin.alias.bin", "modules.builtin.modinfo", "modules.order",
)  # fmt: skip
# With one of each in it an image loads drivers by itself.
LOADERS = ({"modprobe", "kmod"}, {"udevd", "systemd-udevd", "udevadm"})
LARGEST = 256 << 20  # an image is rewritten from memory
FOLDER, FILE = 0o040755, 0o100644
ALIGNED = 512  # four would do


def append(root: Root, image: str, version: str, modules: str, drivers: Sequence[str], why: str) -> str:
    """Why it did not work, or "". `modules` is the kernel's folder of them, `why` goes into the record."""
    found = root.stat(image)
    if found is None or found.st_size > LARGEST:
        return "it is too large to be changed"
    try:
        new = _with_drivers(root, image, version, modules, drivers)
    except cpio.UnknownPacking as e:
        return f"nothing can be put behind what {e.packing} packed"
    except Broken as e:
        return e.message
    if not new:
        return "it has no udev, which would load what is put behind it"
    folder = image.rsplit("/", 1)[0]
    if root.free(folder) < len(new):
        return f"{folder} has {root.free(folder) >> 20} MiB left"
    root.write_bytes(image, new, why)
    return ""


def _with_drivers(root: Root, image: str, version: str, modules: str, drivers: Sequence[str]) -> bytes:
    """The new image, b"" without udev in it. Raises `Broken` for what cannot be read."""
    with root.open(image) as file:
        names = [name.removeprefix("./") for name in cpio.names(file)]
        file.seek(0)
        old = file.read()
    last = {name.rsplit("/", 1)[-1] for name in names}
    if not all(last & loader for loader in LOADERS):
        return b""
    files = dict(_files(root, version, modules, drivers, names))
    return old + bytes(-len(old) % ALIGNED) + archive(files, {*names})


def archive(files: dict[str, bytes], there: set[str]) -> bytes:
    """In the format newc, with the folders that are not there yet."""
    folders: dict[str, None] = {}
    for path in files:
        parts = path.split("/")[:-1]
        folders |= dict.fromkeys("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    entries = [(folder, FOLDER, b"") for folder in folders if folder not in there]
    entries += [(path, FILE, content) for path, content in files.items()]
    return b"".join(
        _entry(number, name, mode, content)
        for number, (name, mode, content) in enumerate([*entries, (cpio.END, 0, b"")], start=1)
    )


def _entry(number: int, name: str, mode: int, content: bytes) -> bytes:
    """Fields: inode, mode, uid, gid, links, time, size, four of devices, length of the name, checksum."""
    packed = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(packed), 0)
    head = cpio.MAGICS[0] + b"".join(b"%08X" % field for field in fields) + packed
    return head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)


def _files(
    root: Root, version: str, modules: str, drivers: Sequence[str], names: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    base = f"{_parent(names, version)}/{version}"
    lines = (root.read(f"{modules}/modules.dep") or "").splitlines()
    needs = {
        module_name(path): [path, *rest.split()] for path, _, rest in (line.partition(":") for line in lines)
    }
    paths = dict.fromkeys(path for driver in drivers for path in needs.get(driver, ()))
    for path in (*paths, *LISTS):
        content = root.read_bytes(path if path.startswith("/") else f"{modules}/{path}")
        if content is not None:
            yield path.lstrip("/") if path.startswith("/") else f"{base}/{path}", content


def _parent(names: Sequence[str], version: str) -> str:
    """Where the image keeps modules: a link must not be replaced by a folder."""
    for parent in ("usr/lib/modules", "lib/modules"):
        if any(name.startswith(f"{parent}/{version}/") for name in names):
            return parent
    merged = "lib" in names and not any(name.startswith("lib/") for name in names)
    return "usr/lib/modules" if merged else "lib/modules"
