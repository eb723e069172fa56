"""Public images: finished qcow2 files made known to the cloud, from which instances are run."""

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from smc.base.errors import UserError
from smc.base.run import Run, run
from smc.base.units import gib_rounded_up
from smc.localcloud.layers import Layers, of_image
from smc.localcloud.store import Store
from smc.localcloud.things import Image, ImageDisk, ImageStatus, Layer, new_id, stamp
from smc.model.server import Architecture, Firmware

INFO_SECONDS = 30.0


class SystemImage(msgspec.Struct, frozen=True, kw_only=True):
    """Files of a name, the system disk first. Each is a qcow2 without backing file that nobody changes."""

    name: str
    files: tuple[Path, ...]
    platform: str
    architecture: Architecture = Architecture.X86_64
    firmware: Firmware = Firmware.BIOS
    family: str = ""
    description: str = ""


def register(store: Store, layers: Layers, image: SystemImage, now: float, run: Run = run) -> str:
    """Give the image's id. The same files under the same name are registered once; a new image replaces what
    had its name, or its family and architecture; instances of that one keep their disks.

    The files are linked, or copied from another filesystem: what becomes of the originals does not matter.
    """
    origin = _origin(image.files)
    known = [item for item in store.all(Image) if item.public and _succeeds(image, item)]
    for item in known:
        if item.origin == origin and item.name == image.name:
            return item.id
    identity = new_id("m")
    made = Image(
        id=identity,
        name=image.name,
        description=image.description,
        created=stamp(now),
        status=ImageStatus.AVAILABLE,
        platform=image.platform,
        architecture=image.architecture,
        firmware=image.firmware,
        disks=tuple(
            ImageDisk(
                device=f"/dev/xvd{chr(ord('a') + index)}",
                size_gib=_size_gib(path, run),
                layer=of_image(identity, index),
            )
            for index, path in enumerate(image.files)
        ),
        public=True,
        family=image.family,
        origin=origin,
    )
    for path, disk in zip(image.files, made.disks, strict=True):
        _take_in(path, layers.path(disk.layer))
    with store.transaction():
        store.remove(*known)
        store.put(made, *(Layer(id=disk.layer) for disk in made.disks))
    return identity


def _succeeds(image: SystemImage, earlier: Image) -> bool:
    related = image.family and (image.family, image.architecture) == (earlier.family, earlier.architecture)
    return bool(related) or image.name == earlier.name


def _origin(files: Sequence[Path]) -> str:
    states = [path.stat() for path in files]
    return json.dumps(
        [[str(path), state.st_size, state.st_mtime_ns] for path, state in zip(files, states, strict=True)]
    )


def _size_gib(path: Path, run: Run) -> int:
    output = run("qemu-img", "info", "-U", "--output=json", path, timeout=INFO_SECONDS).stdout
    info = msgspec.json.decode(output, type=_Info)
    if info.format != "qcow2" or info.backing_filename:
        raise UserError(f"{path} is not a qcow2 file that stands by itself.", code="LocalCloud.UnusableImage")
    return gib_rounded_up(info.virtual_size)


class _Info(msgspec.Struct, rename="kebab"):
    virtual_size: int
    format: str
    backing_filename: str = ""


def _take_in(path: Path, own: Path) -> None:
    own.parent.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):  # another filesystem, or one without hard links
        os.link(path, own)
        return
    shutil.copyfile(path, own)
    own.chmod(0o444)
