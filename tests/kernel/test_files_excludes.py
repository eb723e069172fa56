"""The meaning of exclude patterns, with rsync as the judge."""

import subprocess
from pathlib import Path

import pytest
from tests.unit.transfer.two_folders import TwoFolders

from smc.agent.excludes import within
from smc.base.errors import TargetWriteError
from smc.transfer.files.folders import Folders, join
from smc.transfer.files.patterns import Excludes
from smc.transfer.files.walk import list_folder, look_over
from smc.transfer.writer import Received

pytestmark = pytest.mark.kernel

TREE = (
    "a", "b.o", "b.c", "foo/", "foo/bar", "foo/bar.o", "foo/foo", "x/foo/", "x/foo/bar", "x/foo/y/bar",
    "x/y/foo", "x/y/z/foo", "x/y/z/bar", "tmp/", "tmp/one", "tmp/sub/", "tmp/sub/two", "var/tmp/",
    "var/tmp/t", "var/log/a.log", "var/log/b.log.1", "var/log/old/a.log", "star*", "star", "q?", "qx",
    "[a]", "back\\slash", "backslash", "ab", "ac", "ad", "a-", "a]", "a^", "A1", "é", "with space/in it",
    "lost+found/", "lost+found/x", "-x", "#x", "d.d/e.e/f.f", ".hidden", ".h/x", "x/.hidden", "foo bar",
    "w/x/foo", "w/x/bar", "foo/x/q",
)  # fmt: skip
PATTERNS = (
    "/foo", "foo", "foo/", "/foo/", "foo/*", "/foo/*", "foo/**", "/foo/***", "foo/***", "x/***", "*.o",
    "/*.o", "*", "/*", "**", "*/", "/*/", "foo/bar", "/foo/bar", "x/**/foo", "x/*/foo", "/x/**/bar",
    "**/foo", "**/bar", "**foo", "/**/foo", "foo**", "x**", "/x**r", "/tmp/*", "tmp/*", "tmp", "/tmp/",
    "/var/log/*.log", "/var/log/**.log", "*.log*", "star*", "star\\*", "star[*]", "q?", "q\\?", "[a]",
    "\\[a]", "[[]a]", "a[b-c]", "a[!b]", "a[^b]", "a[]]", "a[]-]", "a[[:alpha:]]", "a[![:lower:]]",
    "[[:upper:]][[:digit:]]", "a[\\]]", "a[\\^]", "a[^^]", "back\\slash", "back\\\\slash", "back*slash",
    "back\\\\*", "?", "??", "é", "??n", "with space", "with*", "lost+found/*", "lost+found", "- foo", "-x",
    "/-x", "f*/b*", "y/foo", "/y/foo", "y/z/", ".*", "/.*", "*/.*", "**.f", "d.d/**", "/d.d/*/f.f",
    "/d.d/**/f.f", "/", "foo//", "/x/y/z/foo/", "***", "x/y/***", "**/z/***", "/**/z", "foo*bar", "a[",
    "a[b", "[", "a\\", "/var/*/*", "/var/**/", "*/*", "*/*/*", "/*/*/", "tmp/sub/**", "*o", "f?o",
    "/f[o]o/b?r", "/***", "x/**/***", "*/***", "/*/***", "x/foo/***", "**/x/foo", "foo/x/***",
    "[z-a]", "[x-a]", "[!x-a]", "a[d-bc]", "[a-\\]]", "a[b-]", "a[--c]", "a[a-c-]", "a[[:lower:]-]",
    " ", "foo ",
)  # fmt: skip
MOUNTED = ("x", "x/y", "foo", "foo/x", "var/log", "w/x", "d.d", ".h")  # as if they were filesystems
NESTED = (
    "/x/y/z/b?r", "x/y", "/x/y/*", "x/*/z", "x/**", "/**/z/bar", "?/y/z/foo", "[wx]/foo", "var/*/b.log*",
    "/v*/l*/a\\.log", "/var/log", "/var/log/", "log/*.log", "/w/x/***", "w/**/***", "/foo/x/q", "foo/x/[q]",
    "/*/x/foo", "**/log/old/", "**log/old", "**d/e.e", "- /x/foo/bar", "/x/foo/***", "*/e.e/f.f", "/.h/\\x",
    "/.[h]/\\x", "/x/y/z/foo/nothing", "x/", "y/", "/x**r", "/x/y**", "/*/*/z/***",
)  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("patterns")
    for name in TREE:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True) if name.endswith("/") else path.touch()
    return root


def left_by_rsync(tree: Path, *patterns: str) -> set[str]:
    options = [word for pattern in patterns for word in ("--exclude", pattern)]
    words = ["rsync", "-r", "-n", "--out-format=%n", *options, f"{tree}/", "/nonexistent/"]
    done = subprocess.run(words, capture_output=True, check=True)
    names = done.stdout.decode().splitlines()
    return {name.rstrip("/") for name in names if not name.startswith(("created", "./"))}


def left_by_us(tree: Path, *patterns: str) -> set[str]:
    with Folders(tree) as folders:
        excludes = Excludes(patterns)
        return {
            join(part.folder.path, entry.name).decode()
            for seen in look_over(folders, excludes, lambda: None)
            for part in list_folder(folders, seen, excludes, unreadable)
            for entry in part.folder.entries
        }


def unreadable(path: bytes, error: OSError) -> None:
    raise AssertionError(f"{path!r}: {error}")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_leaves_what_rsync_leaves(tree: Path, pattern: str) -> None:
    assert left_by_us(tree, pattern) == left_by_rsync(tree, pattern)


@pytest.mark.parametrize("pattern", [*PATTERNS, *NESTED])
def test_the_filesystems_of_a_tree_leave_together_what_rsync_leaves_of_the_tree(
    tree: Path, pattern: str
) -> None:
    left: set[str] = set()
    for place in ("", *MOUNTED):
        patterns = within([pattern], "/", f"/{place}")
        inside = {f"{place}/{name}".lstrip("/") for name in left_by_us(tree / place, *patterns)}
        left |= {name for name in inside if holder(name) == place}
    assert left == left_by_rsync(tree, pattern)


def holder(name: str) -> str:
    """The filesystem that has this name; a mount point's own is in the one above it."""
    return max((place for place in MOUNTED if name.startswith(f"{place}/")), key=len, default="")


def test_several_patterns_leave_what_rsync_leaves(tree: Path) -> None:
    patterns = ("/tmp/*", "*.o", "/x/**/bar", "lost+found/*")
    assert left_by_us(tree, *patterns) == left_by_rsync(tree, *patterns)


GONE = (
    "gone/a.log", "gone/b", "gone/sub/c.log", "gone/sub/deep/d", "gone/empty/", "plain/e", "plain/f/g",
    "logs/x.log", "logs/y.log", "whole/in/it", "stays/z.log", "stays/w",
)  # fmt: skip


def fill(root: Path, names: tuple[str, ...]) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.endswith("/") else path.write_text(name)


def names_in(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


@pytest.mark.parametrize(
    "patterns",
    [("*.log",), ("/gone/sub/deep",), ("deep/",), ("/whole/in/*", "*.log"), ("**/d",), ("/gone",), ()],
)
def test_below_what_is_gone_at_the_source_stays_what_rsync_lets_stay(
    tmp_path: Path, patterns: tuple[str, ...]
) -> None:
    source = tmp_path / "source"
    fill(source, ("stays/w", "new"))
    for place in ("ours", "theirs"):
        fill(tmp_path / place, GONE)
    options = [word for pattern in patterns for word in ("--exclude", pattern)]
    words = ["rsync", "-a", "--delete", *options, f"{source}/", f"{tmp_path}/theirs/"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    ends = TwoFolders(source, tmp_path / "ours", excludes=patterns)
    assert ends.copy().is_right
    assert names_in(tmp_path / "ours") == names_in(tmp_path / "theirs")
    again = ends.copy()
    assert isinstance(again.received, Received)
    assert names_in(tmp_path / "ours") == names_in(tmp_path / "theirs")


@pytest.mark.parametrize("kind", ["file", "symlink"])
def test_a_folder_with_excluded_names_does_not_make_way(tmp_path: Path, kind: str) -> None:
    """As with rsync, which fails too."""
    source = tmp_path / "source"
    fill(source, ("app",) if kind == "file" else ("app-2/",))
    if kind == "symlink":
        (source / "app").symlink_to("app-2")
    for place in ("ours", "theirs"):
        fill(tmp_path / place, ("app/x.log", "app/y"))
    words = ["rsync", "-a", "--delete", "--exclude=*.log", f"{source}/", f"{tmp_path}/theirs/"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 23
    assert (tmp_path / "theirs" / "app" / "x.log").exists()
    outcome = TwoFolders(source, tmp_path / "ours", excludes=("*.log",)).copy()
    assert isinstance(outcome.sent, TargetWriteError)
    assert outcome.sent.code == "Target.Excluded"
    assert (tmp_path / "ours" / "app" / "x.log").exists()
