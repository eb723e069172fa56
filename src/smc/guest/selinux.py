"""SELinux stays as it was: what the conversion wrote anew gets the label that the policy has for it.

Files that are edited keep their labels (root.py). What the guest's own programs make, and new files, would
have none, because the intermediate instance runs without SELinux. The policy's own list of contexts is read
(file_contexts(5)): of several lines that fit a path the last counts, but a path by itself more than an
expression (libselinux sorts them so when it loads them), and lists beside it name folders that
are labelled as others are (Debian has /lib as /usr/lib, /etc/systemd/system as /usr/lib/systemd/system).
Only where that cannot be done the copy labels itself at its first start, which takes minutes to hours.
"""

import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from smc.guest.expressions import LITERAL, Exhausted, Matcher, Unknown
from smc.guest.root import Root
from smc.guest.settings import parse
from smc.model.report import Check, Level

ITEM = "GUESTOS.Selinux"
SETTINGS = "/etc/selinux/config"
AUTORELABEL = "/.autorelabel"
LABELLED = ("/etc/passwd", "/etc/shadow", "/usr/bin/bash", "/usr/lib/systemd/systemd")
KINDS = {
    "--": stat.S_ISREG, "-d": stat.S_ISDIR, "-l": stat.S_ISLNK, "-b": stat.S_ISBLK, "-c": stat.S_ISCHR,
    "-p": stat.S_ISFIFO, "-s": stat.S_ISSOCK,
}  # fmt: skip
LISTS = ("file_contexts", "file_contexts.homedirs", "file_contexts.local")
LIKENED = ("file_contexts.subs", "file_contexts.subs_dist")  # in the order in which libselinux asks them
LINE = re.compile(r"^(?P<path>\S+)\s+(?:(?P<kind>-[-dlbcps])\s+)?(?P<label>\S+)\s*$")
UNLABELLED = "<<none>>"
MADE_IN = ("/boot", "/etc", "/usr/lib/modules", "/var/lib/initramfs-tools")
STEPS = 10_000_000  # some ten seconds; 30 paths take 137,000 in the 5,500 lines of Debian's policy


def mode(root: Root) -> str:
    """disabled, permissive or enforcing."""
    found = parse(root.read(SETTINGS) or "").get("SELINUX", "disabled").lower()
    return found if found in {"permissive", "enforcing"} else "disabled"


def made_by_programs(root: Root) -> Iterator[str]:
    """What has no label where the guest's own programs write (GRUB its modules), if the system has labels.

    An earlier attempt may have made it, so no clock tells it from the rest.
    """
    if mode(root) == "disabled" or _bare(root, LABELLED):
        return
    folders = list(MADE_IN)
    while folders:
        for path in root.files(folders.pop()):
            found = root.stat(path, follow=False)
            if found is None or stat.S_ISLNK(found.st_mode):
                continue
            if root.label(path) == "":
                yield path
            if stat.S_ISDIR(found.st_mode):
                folders.append(path)


def label(root: Root, paths: Iterable[str]) -> None:
    """Give each of the paths that has no label the one of the policy."""
    if mode(root) == "disabled":
        return
    bare = _bare(root, paths)
    if not bare:
        return
    policy = _Policy(root)
    for path in bare:
        wanted = policy.label(root, path)
        if wanted == UNLABELLED or path == AUTORELABEL:
            continue
        if not wanted or not root.set_label(path, wanted):
            root.write(
                AUTORELABEL, "", "some files have no SELinux label; the copy sets them at its first start"
            )
            return


def judge(root: Root) -> Check:
    if mode(root) == "disabled":
        return Check(item=ITEM, level=Level.PASSED, finding="SELinux is off")
    if root.exists(AUTORELABEL):
        finding = f"SELinux is {mode(root)}; the first start sets all labels, and then starts again"
        cure = "Give the first start time: minutes for a small system, hours for one of many files."
        return Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure)
    bare = _bare(root, LABELLED)
    if bare:
        finding = f"SELinux is {mode(root)}, and {', '.join(bare)} have no label"
        cure = f"Make an empty file {AUTORELABEL} on the new machine and start it again."
        return Check(item=ITEM, level=Level.WARNING, finding=finding, cure=cure)
    return Check(
        item=ITEM, level=Level.PASSED, finding=f"SELinux is {mode(root)}, with labels as on the source"
    )


def _bare(root: Root, paths: Iterable[str]) -> list[str]:
    return [path for path in paths if root.exists(path) and root.label(path) == ""]


class Rule(NamedTuple):
    expression: str
    kind: str
    label: str


def label_of(rules: Sequence[Rule], path: str, file_mode: int, matcher: Matcher) -> str:
    """ "" where the policy has none. Raises `Exhausted`."""
    for rule in reversed(rules):
        if rule.kind and not KINDS[rule.kind](file_mode):
            continue
        try:
            if matcher.fits(rule.expression, path):
                return rule.label
        except Unknown:
            return ""  # it may fit: what stands before it would be a wrong label
    return ""


def rules_of(text: str) -> list[Rule]:
    matches = (LINE.match(line) for line in text.splitlines() if not line.startswith("#"))
    return [Rule(match["path"], match["kind"] or "", match["label"]) for match in matches if match]


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """As libselinux asks them, the last first."""
    return sorted(rules, key=lambda rule: LITERAL.fullmatch(rule.expression) is not None)


Likened = list[tuple[str, str]]


def liken(lists: list[Likened], path: str) -> str:
    """The path whose label `path` gets: each list changes its beginning once at most."""
    for likened in lists:
        for folder, other in likened:
            if path == folder or path.startswith(f"{folder}/"):
                path = other + path.removeprefix(folder)
                break
    return path


def likened_of(text: str) -> Likened:
    words = [line.split() for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [(pair[0], pair[1]) for pair in words if len(pair) == 2]


class _Policy:
    """That of the copy, which may be hostile: it has so much of the conversion's time and no more."""

    def __init__(self, root: Root) -> None:
        self._rules = in_order(rule for text in _lists(root, LISTS) for rule in rules_of(text))
        self._likened = [likened_of(text) for text in _lists(root, LIKENED)]
        self._matcher = Matcher(STEPS)

    def label(self, root: Root, path: str) -> str:
        """ "" where it has none, or takes too long to say."""
        found = root.stat(path)
        if found is None:
            return ""
        try:
            return label_of(self._rules, liken(self._likened, path), found.st_mode, self._matcher)
        except Exhausted:
            return ""


def _lists(root: Root, names: Iterable[str]) -> list[str]:
    kind = parse(root.read(SETTINGS) or "").get("SELINUXTYPE", "targeted")
    return [root.read(f"/etc/selinux/{kind}/contexts/files/{name}") or "" for name in names]
