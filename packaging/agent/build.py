"""Builds build/smc-agent: interpreter, libraries and our program in one file that needs only sh and tar.

    python packaging/agent/build.py        prints the path of the file

The interpreter and the C library are those of this machine's own distribution, taken as packages from
wherever its apt takes them; msgspec, zstandard and xxhash are the pinned wheels; src/native is compiled
here, with the C library's headers of the same distribution. Two caches below
~/.cache/smc/agent, each keyed by all that goes in: the runtime (rarely changes) and the finished file.
"""

import gzip
import hashlib
import io
import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
CACHE = Path.home() / ".cache/smc/agent"
KEPT = 4  # finished files in the cache: of several checkouts, or of the last edits
NATIVE = TOP / "src/native"  # our C extension: sources, and flags.txt for the compiler
EXTENSION = "smc/transfer/native.abi3.so"
LINK = TOP / "build/smc-agent"

ROOT_PACKAGES = ("python3-minimal", "libpython3-stdlib")
PACKAGE = re.compile(  # of the closure of the above: what the modules that we keep need
    r"(python3\.\d+-minimal|libpython3\.\d+-(minimal|stdlib)|libc6|libssl\d\S*|zlib1g|libexpat1\S*|libgcc-s1|libzstd1)$"
)
WHEELS = ("msgspec", "zstandard", "xxhash")
NOT_TAKEN = {".so", ".pyi"}  # compiled for this checkout, and read by type checkers alone
OURS = ("base", "model", "wire", "transfer", "guest", "agent", "receiver")
NEEDED = (
    *(
        "ssl",
        "hashlib",
        "json",
        "socket",
        "mmap",
        "fcntl",
        "resource",
        "select",
        "http.client",
        "argparse",
        "tarfile",
    ),
    *("msgspec", "zstandard", "xxhash", "compileall"),
)

# Of the standard library: what a program without screen, compiler or C library to call does not use.
DROPPED_MODULES = set(
    """
    test unittest tkinter turtledemo idlelib ensurepip lib2to3 distutils venv pydoc_data ctypes
    sqlite3 curses dbm wsgiref xmlrpc __pycache__ turtle pydoc doctest pdb cgi cgitb imaplib nntplib
    poplib smtplib smtpd ftplib telnetlib mailbox mailcap antigravity this webbrowser zipapp
    cProfile profile pstats trace aifc sunau wave chunk sndhdr imghdr ossaudiodev audioop crypt nis
    readline
    """.split()  # noqa: SIM905 - so many words read better as a text
)
DROPPED_EXTENSIONS = re.compile(
    r"_(bz2|lzma|sqlite3|ctypes\w*|curses\w*|dbm|gdbm|crypt|uuid|tkinter|codecs_\w+|multibytecodec|test\w*|xx\w*)$"
    r"|(readline|nis|audioop|ossaudiodev|xx\w*)$"
)
LIBRARIES = re.compile(  # glibc of 2.34 and later holds threads, dl and the NSS of files and DNS itself
    r"(libc|libm|libdl|libpthread|librt|libresolv|libutil|libnss_(files|dns)|libssl|libcrypto|libz|libexpat|libgcc_s|libzstd)\.so\.\d"
)
LOADERS = {"amd64": "ld-linux-x86-64.so.2", "arm64": "ld-linux-aarch64.so.1"}
WHEEL_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
MANYLINUX = ("manylinux_2_17_{}", "manylinux2014_{}", "manylinux_2_28_{}")


def main() -> int:
    print(build())
    return 0


def build() -> Path:
    """build/smc-agent, made anew when anything that goes into it has changed."""
    runtime = build_runtime()
    code = [*_sources(), *((path.name, path) for path in sorted(NATIVE.iterdir()) if path.is_file())]
    key = _hash(runtime.parent.name, *(f"{path}:{_file_hash(full)}" for path, full in code))
    target = CACHE / key / "smc-agent"
    if not target.exists():
        _make_folder(target.parent, lambda folder: _assemble(folder / "smc-agent", runtime, key))
    _show(target)
    _forget_old(target.parent)
    return LINK


def build_runtime() -> Path:
    """runtime.tar.gz: bin/python3, lib/ (shared libraries, the standard library), app/ with the wheels."""
    packages = _packages()
    wheels = [_pin(name) for name in WHEELS]
    key = _hash(_architecture(), *packages, *wheels, _file_hash(Path(__file__)))
    archive = CACHE / f"runtime-{key}" / "runtime.tar.gz"
    if not archive.exists():
        _make_folder(archive.parent, lambda folder: _fill_runtime(folder, sorted(packages), wheels))
    return archive


# The runtime


def _packages() -> dict[str, str]:
    """name=version -> hash, of what apt would download now."""
    options = [
        f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    ]
    closure = _run("apt-cache", "depends", "--recurse", *options, *ROOT_PACKAGES)
    names = sorted({line for line in closure.splitlines() if PACKAGE.match(line)})
    if not any(name.startswith("libpython3.") for name in names):
        sys.exit("agent: apt knows no packages of Python; run `sudo apt-get update`")
    uris = _run("apt-get", "download", "--print-uris", *names)
    return {line.split()[1]: line.split()[3] for line in uris.splitlines() if line.startswith("'")}


def _pin(name: str) -> str:
    """`name==version` of the constraints file."""
    for line in (TOP / "packaging/constraints.txt").read_text().splitlines():
        if line.lower().startswith(f"{name}=="):
            return line.strip()
    sys.exit(f"agent: packaging/constraints.txt does not pin {name}")


def _fill_runtime(folder: Path, packages: Sequence[str], wheels: Sequence[str]) -> None:
    tree, debs = folder / "tree", folder / "debs"
    debs.mkdir()
    names = [package.split("_", 1)[0] for package in packages]
    _run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *names, cwd=debs)
    unpacked = folder / "unpacked"
    for deb in sorted(debs.iterdir()):
        _run("dpkg-deb", "-x", str(deb), str(unpacked))
    interpreter = next((unpacked / "usr/bin").glob("python3.*"))
    _take_interpreter(unpacked, interpreter, tree)
    _take_libraries(unpacked, tree / "lib")
    _take_wheels(wheels, interpreter.name.removeprefix("python"), tree / "app")
    _check(tree)
    _compile(tree, tree / "lib" / interpreter.name)
    _compile(tree, tree / "app")
    _pack(folder / "runtime.tar.gz", _walk(tree))
    shutil.rmtree(unpacked)
    shutil.rmtree(debs)


def _take_interpreter(unpacked: Path, interpreter: Path, tree: Path) -> None:
    (tree / "bin").mkdir(parents=True)
    shutil.copyfile(interpreter, tree / "bin/python3")
    (tree / "bin/python3").chmod(0o755)
    library = tree / "lib" / interpreter.name
    shutil.copytree(unpacked / "usr/lib" / interpreter.name, library, ignore=_dropped, symlinks=False)


def _dropped(_: str, names: list[str]) -> set[str]:
    gone = {
        name for name in names if name.removesuffix(".py") in DROPPED_MODULES or name.startswith("config-")
    }
    gone |= {
        name for name in names if name.endswith(".so") and DROPPED_EXTENSIONS.match(name.split(".", 1)[0])
    }
    return gone | {
        name for name in names if name in {"EXTERNALLY-MANAGED", "LICENSE.txt", "sitecustomize.py"}
    }


def _take_libraries(unpacked: Path, folder: Path) -> None:
    for path in sorted(unpacked.rglob("lib*.so.*")):
        if LIBRARIES.match(path.name) and path.is_file():
            shutil.copyfile(path.resolve(), folder / path.name)
    loader = next(unpacked.rglob(LOADERS[_architecture()]))
    shutil.copyfile(loader.resolve(), folder / "ld.so")
    (folder / "ld.so").chmod(0o755)


def _take_wheels(wheels: Sequence[str], version: str, app: Path) -> None:
    machine = WHEEL_MACHINES[_architecture()]
    platforms = [word for tag in MANYLINUX for word in ("--platform", tag.format(machine))]
    target = ["--python-version", version, "--implementation", "cp", "--abi", f"cp{version.replace('.', '')}"]
    with tempfile.TemporaryDirectory() as folder:
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:")
        _run(*pip, *target, *platforms, "--dest", folder, *wheels)
        for wheel in sorted(Path(folder).iterdir()):
            with zipfile.ZipFile(wheel) as archive:
                names = [name for name in archive.namelist() if name.endswith((".py", ".so"))]
                archive.extractall(app, names)  # noqa: S202 - pinned wheels
    for cffi in app.glob("zstandard/*cffi*"):
        cffi.unlink()


def _check(tree: Path) -> None:
    """The interpreter starts with its own libraries alone, and every extension that was kept loads."""
    names = [path.name.split(".", 1)[0] for path in tree.glob("lib/python3.*/lib-dynload/*.so")]
    code = "import sys; sys.path.insert(0, sys.argv[1]); [__import__(name) for name in sys.argv[2:]]"
    _python(tree, "-c", code, str(tree / "app"), *NEEDED, *names)


def _compile_extension(target: Path) -> None:
    """Python's limited API: the headers of the interpreter that runs the build serve the agent's.

    The compiler is called by hand: setuptools would add what that interpreter was linked with, among it
    paths of this machine.
    """
    flags = (NATIVE / "flags.txt").read_text().split()
    include = f"-I{sysconfig.get_path('include')}"
    _run(
        *("gcc", "-shared", "-fPIC", "-s", *flags, include),
        *(str(path) for path in sorted(NATIVE.glob("*.c"))),
        *("-lcrypto", "-o", str(target)),
    )


def _check_ours(tree: Path, app: Path) -> None:
    """The extension that was compiled for the agent loads in its interpreter."""
    code = "import sys; sys.path[:0] = sys.argv[1:]; import smc.transfer.native"
    _python(tree, "-c", code, str(app), str(tree / "app"))


def _compile(tree: Path, folder: Path) -> None:
    """Byte code that is never compared with its source, in place of the source."""
    _python(
        tree,
        "-m",
        "compileall",
        "-q",
        "-b",
        "--invalidation-mode",
        "unchecked-hash",
        "-s",
        str(tree),
        str(folder),
    )
    for source in folder.rglob("*.py"):
        source.unlink()


def _python(tree: Path, *words: str) -> None:
    start = (str(tree / "lib/ld.so"), "--inhibit-cache", "--library-path", str(tree / "lib"))
    python = str(tree / "bin/python3")
    _run(*start, "--argv0", python, python, "-I", "-S", "-B", *words)


# The finished file


def _sources() -> Iterator[tuple[str, Path]]:
    """What of ours goes in: path in app/ and file."""
    yield "stub.sh", HERE / "stub.sh"
    yield "__main__.py", HERE / "__main__.py"
    yield "smc/__init__.py", TOP / "src/smc/__init__.py"
    for package in OURS:
        for path in sorted((TOP / "src/smc" / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix not in NOT_TAKEN:
                yield str(path.relative_to(TOP / "src")), path


def _assemble(target: Path, runtime: Path, key: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        app = Path(name) / "app"
        for path, full in _sources():
            if path != "stub.sh":
                (app / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(full, app / path)
        _compile_extension(app / EXTENSION)
        _check_ours(runtime.parent / "tree", app)
        _compile(runtime.parent / "tree", app)
        program = Path(name) / "program.tar.gz"
        _pack(program, _walk(app.parent, below="app"))
        with target.open("wb") as file:
            file.write(_stub(key, runtime.stat().st_size, program.stat().st_size))
            file.write(runtime.read_bytes())
            file.write(program.read_bytes())
    target.chmod(0o755)


def _stub(key: str, runtime: int, program: int) -> bytes:
    """`head` is the size of the script itself, in as many digits as the size has."""
    text = (HERE / "stub.sh").read_text()
    for word, value in (("@KEY@", key), ("@RUNTIME@", str(runtime)), ("@PROGRAM@", str(program))):
        text = text.replace(word, value)
    size = len(text.encode()) - len("@HEAD@")
    return text.replace("@HEAD@", str(size + len(str(size)))).encode()


def _walk(tree: Path, below: str = "") -> Iterator[tuple[str, Path]]:
    for path in sorted((tree / below).rglob("*")):
        if path.is_file():
            yield str(path.relative_to(tree)), path


def _pack(target: Path, files: Iterator[tuple[str, Path]]) -> None:
    """The same content gives the same bytes: no times, no owners."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, path in files:
            member = tarfile.TarInfo(name)
            member.size = path.stat().st_size
            member.mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
            with path.open("rb") as file:
                archive.addfile(member, file)
    target.write_bytes(gzip.compress(plain.getvalue(), 9, mtime=0))


def _show(target: Path) -> None:
    """At build/smc-agent, as a name of its own: a center that serves it does not lose it with the cache."""
    LINK.parent.mkdir(exist_ok=True)
    temporary = LINK.with_name(f".smc-agent.{os.getpid()}")
    try:
        temporary.hardlink_to(target)
    except OSError:  # another filesystem
        shutil.copy2(target, temporary)
    if LINK.exists() and LINK.samefile(temporary):
        temporary.unlink()  # renaming a file onto itself does nothing
    else:
        temporary.replace(LINK)


def _forget_old(newest: Path) -> None:
    os.utime(newest)
    built = [file.parent for file in CACHE.glob("*/smc-agent")]
    for folder in sorted(built, key=lambda folder: folder.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(folder, ignore_errors=True)


# Small things


def _make_folder(final: Path, fill: Callable[[Path], None]) -> None:
    """`final` appears complete or not at all, also when two builds run."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=final.parent, prefix="new-") as name:
        work = Path(name) / "folder"
        work.mkdir()
        fill(work)
        try:
            work.rename(final)
        except OSError:
            if not final.exists():
                raise


def _architecture() -> str:
    return _run("dpkg", "--print-architecture").strip()


def _hash(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:16]


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _run(*words: str, cwd: Path | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        sys.exit(f"agent: {' '.join(words[:4])} ...: {done.stderr.strip()[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
