"""The disks of a source: built once in a machine of its own, kept under the hash of all that went in."""

import os
import shlex
import shutil
import tempfile
import time
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import msgspec
from demo.ssh import make_key
from demo.stages import Failed, say
from tests.matrix import below_root, besides
from tests.matrix.tree import SHELF, free_space, make_tree, packages

from smc.base.lock import exclusively
from smc.base.run import run
from smc.localcloud import accelerator, appliance, qemu
from smc.localcloud.bake import CACHE, Baked, bake
from smc.localcloud.machine import MachineDisk, MachineSpec, UserNetwork
from smc.localcloud.recipe import Recipe
from smc.localcloud.seed import make_seed

SCRIPT = Path(__file__).with_name("build_source.sh")
VERSION = 2  # raised when this file builds something else from the same row
DISK_GIB = 4  # a tree takes about 0.4 GiB
BUILT = "source: built"  # the last line on the console
BUILD_SECONDS = 2400.0  # measured 250 s under emulation on a busy machine
LAST_WORDS = 600  # characters of the builder's console that go into a failure
ROOM = 6 << 30  # bytes that a build takes while it goes on
TOOLS = {"lvm": "lvm2", "mdraid": "mdadm", "luks": "cryptsetup-bin"}  # packages that make a root
WORDS = ("start", "root", "boot", "fstab", "network", "bus")  # what the script is told of a row


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """Its disks, which nobody writes any more, in the order in which they are attached."""

    disks: tuple[Path, ...]
    kernel: Path
    key: Path


def build(row: dict[str, str], name: str) -> Built:
    """The source of the row; made when it is not there or what it is made of has changed."""
    key = make_key(SHELF)
    builder = bake(_recipe(row), say=lambda line: say(f"    {name}: {line}"))
    seed = _user_data(row, name, key.with_suffix(".pub").read_text().strip())
    inputs = [VERSION, DISK_GIB, row["suite"], packages(row), _hooks(row, name), seed]
    finished = SHELF / "sources" / sha256(msgspec.json.encode(inputs)).hexdigest()[:16]
    finished.parent.mkdir(parents=True, exist_ok=True)
    if not finished.exists():
        suite = row["suite"]  # whose packages are kept, and brought up to date, by one program at a time
        with exclusively(SHELF / f".{suite}.lock", say=lambda: say(f"    another run builds one of {suite}")):
            if not finished.exists():
                _make(row, name, seed, builder, finished)
    disks = tuple(finished / f"{number}.qcow2" for number in range(_disks(row)))
    return Built(disks=disks, kernel=builder.kernel, key=key)


def _hooks(row: dict[str, str], name: str) -> list[str]:
    return [*below_root.hooks(row, name), *besides.hooks(row)]


def _disks(row: dict[str, str]) -> int:
    return 2 if row["root"] == "mdraid" else 1


def builder_image() -> Path:
    """The disk of a system with the tools of every row, which nobody writes."""
    return bake(_with_every_tool(), say=lambda line: say(f"    {line}")).disk(appliance.DISK)


def _recipe(row: dict[str, str]) -> Recipe:
    """The system image of intermediate instances where it has what the row asks for."""
    tool = TOOLS.get(row["root"])
    base = appliance.recipe()
    return base if tool is None or tool in base.packages else _with_every_tool()


def _with_every_tool() -> Recipe:
    base = appliance.recipe()
    extra = tuple(name for name in TOOLS.values() if name not in base.packages)
    return msgspec.structs.replace(base, kind="matrix-builder", packages=(*base.packages, *extra))


def _user_data(row: dict[str, str], name: str, public_key: str) -> str:
    told = {**{word.upper(): row[word] for word in WORDS}, "NAME": name, "KEY": public_key}
    told |= {"BELOW_UUID": below_root.uuid_of(name), "BELOW_KEY": below_root.key_of(name)}
    heads = [f"{key}={shlex.quote(value)}" for key, value in told.items()]
    return "\n".join(["#!/bin/bash", *heads, SCRIPT.read_text()])


def _make(row: dict[str, str], name: str, seed: str, builder: Baked, finished: Path) -> None:
    if free_space() < ROOM:
        raise Failed(f"a source takes {ROOM >> 30} GiB while it is built, and {SHELF} has less")
    with ExitStack() as undo:
        work = Path(tempfile.mkdtemp(prefix="source-", dir=SHELF))
        undo.callback(shutil.rmtree, work, ignore_errors=True)
        began = time.monotonic()
        make_tree(row, work / "tree.tar", hooks=_hooks(row, name))
        blanks = [work / f"{number}.blank" for number in range(_disks(row))]
        for blank in blanks:
            run("qemu-img", "create", "-q", "-f", "qcow2", blank, f"{DISK_GIB}G", timeout=60)
        say(f"    {name}: its packages are there after {time.monotonic() - began:.0f} s")
        _run_builder(work, builder, blanks, seed)
        result = work / "result"
        result.mkdir()
        for number, blank in enumerate(blanks):
            _compress(blank, result / f"{number}.qcow2")
        result.rename(finished)
        say(f"    {name}: its source is built after {time.monotonic() - began:.0f} s")


def _run_builder(work: Path, builder: Baked, blanks: list[Path], seed: str) -> None:
    """The builder's first boot runs the script, which switches the machine off at its end."""
    overlay(builder.disk(appliance.DISK), work / "builder.qcow2", form="qcow2")
    overlay(work / "tree.tar", work / "tree.qcow2", form="raw")
    make_seed(work / "seed.iso", work.name, "builder", seed.encode())
    spec = MachineSpec(
        folder=work,
        runtime=runtime(),
        name=work.name,
        cpus=2,
        memory_mib=1024,
        disks=(
            MachineDisk(path=work / "builder.qcow2", serial="builder"),
            *(MachineDisk(path=blank, serial=f"source-{number}") for number, blank in enumerate(blanks)),
            MachineDisk(path=work / "tree.qcow2", serial="tree"),
        ),
        seed=work / "seed.iso",
        network=UserNetwork(
            cidr="10.0.2.0/24",
            gateway="10.0.2.2",
            address="10.0.2.15",
            mac="52:54:00:00:00:01",
            restricted=True,
        ),
    )
    handle = qemu.start(spec, accelerator.find(builder.kernel, CACHE / "accelerator.json").accelerator)
    try:
        off = qemu.wait(handle, BUILD_SECONDS)
    finally:
        qemu.kill(handle)
    console = spec.console.read_text(errors="replace")
    if not off or BUILT not in console:
        raise Failed(f"the source was not built; the builder's console ends: {console[-LAST_WORDS:]}")


def overlay(base: Path, path: Path, *, form: str) -> None:
    """A qcow2 for the changes to `base`, whose format is `form`."""
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", form, path, timeout=60)


def runtime() -> Path:
    """A short path for sockets."""
    return Path(tempfile.gettempdir()) / f"smc-matrix-{os.getuid()}"


def _compress(disk: Path, result: Path) -> None:
    """Sources are kept, and there are many: a third of the size for a few seconds."""
    how = ("-c", "-f", "qcow2", "-O", "qcow2", "-o", "compression_type=zstd")
    run("qemu-img", "convert", *how, disk, result, timeout=BUILD_SECONDS)
