"""Bootable disks built on this machine from the packages of its own distribution, by mmdebstrap.

Runs as root or without any privilege: filesystems are written by `mke2fs -d` inside a hook of mmdebstrap,
where owners, modes and extended attributes are right in both cases; no loop device, no machine is needed.

A build is kept under the hash of all that went into it. The date is no part of it: a build would otherwise
be repeated in the middle of somebody's migration, and need the network. To have newer packages, remove the
folder of the build.
"""

import io
import logging
import os
import resource
import shlex
import shutil
import signal
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from smc.base.errors import CommandFailed
from smc.base.lock import exclusively
from smc.base.run import run, spawn
from smc.localcloud import apt, bootsector
from smc.localcloud.recipe import Kind, Placed, Recipe, partition_script, place

log = logging.getLogger(__name__)

CACHE = Path.home() / ".cache" / "smc"
VERSION = 1  # raised when this file builds something else from the same recipe
BUILD_SECONDS = 1800.0  # measured 60 s; a slow mirror takes longer
STOP_SECONDS = 20.0  # for mmdebstrap to remove what it made
WORK_PREFIX = ".work-"
LOG_TAIL = 2000
SCRIPT = "/bake.sh"  # inside the tree while it is made
KERNEL = "/bake.kernel"
# fewer and smaller files, which nobody reads in these systems
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")

Say = Callable[[str], None]


class Baked(msgspec.Struct, frozen=True, kw_only=True):
    """A finished build: `<disk name>.qcow2` for each disk of the recipe, and the kernel by itself."""

    folder: Path

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    def disk(self, name: str) -> Path:
        return self.folder / f"{name}.qcow2"


def bake(recipe: Recipe, *, say: Say = log.info, cache: Path = CACHE) -> Baked:
    """The build of this recipe: the one there is, or a new one. Two callers wait for each other."""
    distribution = apt.host_distribution()
    finished = _place_of(recipe, distribution, cache)
    if finished.folder.exists():
        return finished
    shelf = finished.folder.parent
    shelf.mkdir(parents=True, exist_ok=True)
    with exclusively(shelf / ".lock", say=lambda: say(f"another program is building the {recipe.kind}")):
        if finished.folder.exists():
            return finished
        for left_behind in shelf.glob(f"{WORK_PREFIX}*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        started = time.monotonic()
        work = Path(tempfile.mkdtemp(prefix=WORK_PREFIX, dir=shelf))
        try:
            _build(recipe, distribution, work, cache / "packages", say)
            (work / "result").rename(finished.folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        say(f"{recipe.kind} built in {time.monotonic() - started:.0f} s: {finished.folder}")
    return finished


def baked(recipe: Recipe, *, cache: Path = CACHE) -> Baked | None:
    """The build of this recipe if there is one."""
    found = _place_of(recipe, apt.host_distribution(), cache)
    return found if found.folder.exists() else None


def _place_of(recipe: Recipe, distribution: apt.Distribution, cache: Path) -> Baked:
    key = sha256(msgspec.json.encode([VERSION, recipe, distribution])).hexdigest()[:16]
    return Baked(folder=cache / recipe.kind / key)


def _build(recipe: Recipe, distribution: apt.Distribution, work: Path, packages: Path, say: Say) -> None:
    result = work / "result"
    result.mkdir()
    packages.mkdir(exist_ok=True)
    (work / "files.tar").write_bytes(_archive(recipe))
    layouts = {disk.name: place(disk) for disk in recipe.disks}
    raw = {disk.name: work / f"{disk.name}.raw" for disk in recipe.disks}
    for disk in recipe.disks:
        with raw[disk.name].open("wb") as file:
            file.truncate(disk.size_gib << 30)
            # written in mmdebstrap's user namespace through an open file; the folder is ours alone
            os.fchmod(file.fileno(), 0o666)
        run("sfdisk", "--quiet", raw[disk.name], stdin=partition_script(layouts[disk.name]), timeout=60)
    with ExitStack() as files:
        opened = {name: files.enter_context(path.open("r+b")).fileno() for name, path in raw.items()}
        made = [(p, opened[name]) for name, placed in layouts.items() for p in placed]
        made = [(p, handle) for p, handle in made if p.volume.kind is Kind.EXT4]
        made.sort(key=lambda each: each[0].volume.folder == "/")  # the others leave the tree before
        hooks = [_filesystem(p, handle) for p, handle in made]
        words = mmdebstrap(recipe, distribution, hooks, work, packages, apt.fetch_options())
        _follow(words, tuple(opened.values()), work, say)
    for name, placed in layouts.items():
        for p in placed:
            if p.volume.kind is Kind.SWAP:
                _make_swap(raw[name], p)
    first = recipe.disks[0].name
    _install_boot_loader(raw[first], layouts[first], work)
    for name, path in raw.items():
        say(f"writing {name}.qcow2")
        run(
            *("qemu-img", "convert", "-f", "raw", "-O", "qcow2", path, result / f"{name}.qcow2"),
            timeout=BUILD_SECONDS,
        )


def mmdebstrap(
    recipe: Recipe,
    distribution: apt.Distribution,
    filesystems: list[str],
    work: Path,
    packages: Path,
    fetch_options: list[str],
) -> list[str]:
    """Its hooks in the order in which they run. Downloaded packages are kept in `packages`."""
    archives = "/var/cache/apt/archives"
    return [
        # the build does not outlive whoever waits for it
        *("setpriv", "--pdeathsig=TERM", "mmdebstrap", "--mode=auto", "--variant=minbase", "--format=null"),
        f"--include={','.join((*recipe.packages, distribution.kernel, 'initramfs-tools', 'zstd'))}",
        *(f"--aptopt={option}" for option in fetch_options),
        "--dpkgopt=force-unsafe-io",  # a crash throws the tree away, so nothing in it needs syncing
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        *("--skip=download/empty", "--skip=essential/unlink"),  # or it refuses and removes kept packages
        f'--setup-hook=mkdir -p "$1{archives}"',
        f"--setup-hook=sync-in {shlex.quote(str(packages))} {archives}",
        f"--essential-hook=tar-in {shlex.quote(str(work / 'files.tar'))} /",
        f'--customize-hook=chroot "$1" sh -eu {SCRIPT}',
        f"--customize-hook=sync-out {archives} {shlex.quote(str(packages))}",
        f"--customize-hook=download {KERNEL} {shlex.quote(str(work / 'result' / 'vmlinuz'))}",
        f"--customize-hook={_CLEAN}",
        *(f"--customize-hook={hook}" for hook in filesystems),
        *(distribution.codename, "/dev/null"),
        *(source.line() for source in distribution.sources),
    ]


_CLEAN = f"""
cd "$1"
rm -rf .{SCRIPT} .{KERNEL} var/cache/apt/archives var/lib/apt/lists etc/apt/apt.conf.d/99mmdebstrap
mkdir -p var/cache/apt/archives/partial var/lib/apt/lists/partial
rm -f etc/resolv.conf etc/dpkg/dpkg.cfg.d/99mmdebstrap
find var/log -type f -delete
""".strip()


def _script(recipe: Recipe) -> str:
    """Runs in the tree: the recipe's own part, then GRUB's menu, without a menu."""
    root = next(v for v in recipe.disks[0].volumes if v.folder == "/")
    return f"""{recipe.script}
version=$(ls /boot/vmlinuz-* | sed 's|.*vmlinuz-||' | sort -V | tail -n 1)
cp "/boot/vmlinuz-$version" {KERNEL}
mkdir -p /boot/grub
cat > /boot/grub/grub.cfg <<END
linux /boot/vmlinuz-$version root=UUID={root.uuid} ro {recipe.kernel_options}
initrd /boot/initrd.img-$version
boot
END
"""


def _archive(recipe: Recipe) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        seen: set[str] = set()
        for path, content, mode in [
            *((file.path, file.content, file.mode) for file in recipe.files),
            (SCRIPT, _script(recipe), 0o644),
        ]:
            for folder in reversed(Path(path.lstrip("/")).parents[:-1]):
                if str(folder) not in seen and str(folder) not in _FOLDERS_OF_THE_SYSTEM:
                    seen.add(str(folder))
                    entry = tarfile.TarInfo(str(folder))
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(entry)
            data = content.encode()
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(data), mode
            tar.addfile(entry, io.BytesIO(data))
    return archive.getvalue()


# links into /usr on a merged system, or modes that are not ours to set
_FOLDERS_OF_THE_SYSTEM = {"bin", "sbin", "lib", "lib64", "etc", "usr", "var", "root", "tmp", "run", "home"}


def _filesystem(placed: Placed, handle: int) -> str:
    """A hook that writes one ext4, and removes its folder from the tree unless it is the root.

    In a bind mount of the tree nothing else is mounted, no /proc and no /dev.
    """
    volume = placed.volume
    make = (
        f"mke2fs -q -F -t ext4 -U {volume.uuid} -L {shlex.quote(volume.label)}"
        f' -E offset={placed.start},lazy_itable_init=0 -d "$1/mnt{volume.folder}"'
        f" /dev/fd/{handle} {placed.size >> 10}k"
    )
    remove = f' && rm -rf "$1{volume.folder}"' if volume.folder != "/" else ""
    inner = f'mount --bind "$1" "$1/mnt" && {make} && umount "$1/mnt"'
    return f'unshare --mount --propagation private sh -c {shlex.quote(inner)} sh "$1"{remove}'


def _follow(words: list[str], handles: tuple[int, ...], work: Path, say: Say) -> None:
    """Run mmdebstrap, saying what it says of its progress; on any exception it is asked to clean up."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(Path.home())}
    if os.geteuid() == 0:  # otherwise the users of its namespace could not enter our folder
        environment["TMPDIR"] = str(work)
    path = work / "mmdebstrap.log"
    with path.open("wb") as output, path.open(errors="replace") as lines:
        process = spawn(*words, output=output, env=environment, pass_fds=handles)
        end = time.monotonic() + BUILD_SECONDS
        try:
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.3)
                for line in lines:
                    if line.startswith("I: ") and "hook" not in line:
                        say(line[3:].strip())
        finally:
            if process.returncode is None:
                process.terminate()
                stop = time.monotonic() + STOP_SECONDS
                while process.poll() is None and time.monotonic() < stop:
                    time.sleep(0.1)
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if process.returncode:
        why = f"exit status {process.returncode}"
        raise CommandFailed(["mmdebstrap"], why, path.read_text(errors="replace")[-LOG_TAIL:])


def _make_swap(disk: Path, placed: Placed) -> None:
    """All that mkswap(8) writes is the first page; older versions cannot write it at an offset."""
    alone = disk.with_suffix(".swap")
    with alone.open("wb") as file:
        file.truncate(placed.size)
    run("mkswap", "--quiet", "--uuid", placed.volume.uuid, alone, timeout=60)
    with alone.open("rb") as made, disk.open("r+b") as file:
        file.seek(placed.start)
        file.write(made.read(resource.getpagesize()))


def _install_boot_loader(disk: Path, layout: tuple[Placed, ...], work: Path) -> None:
    home = next(p for p in layout if p.volume.kind is Kind.BIOS_BOOT)
    root = next(p for p in layout if p.volume.folder == "/")
    config, core = work / "early.cfg", work / "core.img"
    config.write_text(
        f"search --no-floppy --fs-uuid --set=root {root.volume.uuid}\n"
        "set prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n"
    )
    bootsector.make_core(core, config)
    bootsector.write_boot_loader(disk, core.read_bytes(), home.start, home.size)
