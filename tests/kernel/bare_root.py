"""A small Debian root without Python, as a minimal server has it, made of this machine's own distribution."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PACKAGES = ("base-files", "dash", "coreutils", "tar", "gzip", "util-linux", "mount", "wget")
KINDS = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")


def unpack(folder: Path, packages: Sequence[str] = PACKAGES) -> None:
    """The packages and all they depend on, unpacked and not configured."""
    options = [f"--no-{kind}" for kind in KINDS]
    closure = _run("apt-cache", "depends", "--recurse", *options, *packages).splitlines()
    names = sorted({line for line in closure if line and line[0].isalnum()})
    debs = folder / "debs"
    debs.mkdir(parents=True)
    _run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *names, cwd=debs)
    for deb in sorted(debs.iterdir()):
        _run("dpkg-deb", "-x", str(deb), str(folder))
        deb.unlink()
    debs.rmdir()
    for name in ("dev", "proc", "sys", "tmp", "root", "run", "opt"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "tmp").chmod(0o1777)


@contextmanager
def entered(root: Path) -> Iterator["Inside"]:
    """A mount namespace in which `root` is the root; everything in it ends with the block."""
    script = (
        f"mount -t proc proc {root}/proc && mount --rbind /sys {root}/sys && mount --rbind /dev {root}/dev"
        f" && mount -t tmpfs -o noexec tmpfs {root}/tmp && echo ready && exec chroot {root} /bin/cat"
    )
    words = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")
    keeper = subprocess.Popen(
        [*words, "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert keeper.stdin
    assert keeper.stdout
    try:
        assert keeper.stdout.readline() == "ready\n"
        children = Path(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read_text()
        yield Inside(root, int(children))
    finally:
        keeper.stdin.close()
        keeper.wait(20)  # the namespace of processes ends with its first one, and all of them with it
        keeper.stdout.close()


class Inside:
    """Runs commands where the keeper is."""

    def __init__(self, root: Path, keeper: int) -> None:
        self.root = root
        self._words = ("nsenter", "--target", str(keeper), "--mount", "--pid", "--root", "--wd")

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._words, *words], capture_output=True, text=True, check=False, timeout=120, env=ENVIRONMENT
        )


ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}


def _run(*words: str, cwd: Path | None = None) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=cwd, timeout=300)
    assert done.returncode == 0, f"{words[:3]}: {done.stderr}"
    return done.stdout
