"""Boot loader entries and the other places that hold a kernel's whole command line.

Entries: <boot>/loader/entries/*.conf of the Boot Loader Specification, read by systemd-boot and by GRUB of
Red Hat's family (`blscfg`). /etc/kernel/cmdline is what the next kernel's entry gets. grubenv holds
`kernelopts` in RHEL 8; it is a block of 1024 bytes that GRUB writes in place, so its size never changes.
"""

import re
from collections.abc import Sequence

from smc.base.errors import Broken
from smc.guest import cmdline
from smc.guest.detect import ESP_FOLDERS, Kernel
from smc.guest.root import Root
from smc.guest.volumes import Volume

FOLDERS = tuple(f"{folder}/loader/entries" for folder in ("/boot", "/boot/efi", "/efi"))
KERNEL_CMDLINE = "/etc/kernel/cmdline"
OPTIONS = re.compile(r"^(options[ \t]+)(.*)$", re.MULTILINE)
ASSIGNMENT = re.compile(r"^(?P<key>[^#=\n][^=\n]*)=(?P<value>(?:\\[\s\S]|[^\\\n])*)$", re.MULTILINE)
WHY = "the kernel's command line names what is there on the new machine, and has a serial console"
ENVIRONMENTS = (
    *("/boot/grub2/grubenv", "/boot/grub/grubenv"),
    *(f"{folder}/EFI/{{vendor}}/grubenv" for folder in ESP_FOLDERS),
)
ENVIRONMENT_HEAD = "# GRUB Environment Block\n"
ENVIRONMENT_BYTES = 1024  # GRUB reads and writes exactly so many (grub/lib/envblk.h)


def entries(root: Root) -> list[str]:
    return [path for folder in FOLDERS for path in root.files(folder, suffix=".conf")]


def adapt(root: Root, volumes: Sequence[Volume], *, resumes: bool) -> None:
    """Set every complete command line right; variables of GRUB in an entry stay as they are."""

    def line(text: str) -> str:
        words = text.split()
        if any(word.startswith("$") for word in words):  # the rest of it is in grubenv
            return " ".join(cmdline.without_old_machine(words, volumes))
        return " ".join(cmdline.adapted(words, volumes, resumes=resumes))

    for path in entries(root):
        text = root.read(path) or ""
        new = OPTIONS.sub(lambda match: match[1] + _same_or(match[2], line(match[2])), text)
        root.write(path, new, WHY)
    kept = root.read(KERNEL_CMDLINE)
    if kept:
        root.write(KERNEL_CMDLINE, _same_or(kept, line(kept) + "\n"), WHY)
    for path in environments(root):
        _adapt_environment(root, path, volumes, resumes=resumes)


def prefer(root: Root, kernel: Kernel) -> None:
    """Start this kernel's entry by default: in the environment of GRUB and the settings of systemd-boot."""
    why = f"a newer kernel cannot start on the new machine, {kernel.version} can"
    mine = [path for path in entries(root) if _is_of(root.read(path) or "", kernel)]
    if not mine:
        return
    name = mine[-1].rsplit("/", 1)[-1]
    for path in environments(root):
        values = read_environment(root.read(path) or "")
        root.write(path, environment({**values, "saved_entry": name.removesuffix(".conf")}), why)
    for path in (f"{folder}/loader/loader.conf" for folder in ESP_FOLDERS):
        text = root.read(path)
        if text is not None:
            others = re.sub(r"^default[ \t].*\n?", "", text, flags=re.MULTILINE)
            root.write(path, f"default {name}\n{others}", why)


def _is_of(text: str, kernel: Kernel) -> bool:
    linux = re.search(r"^linux[ \t]+(\S+)", text, re.MULTILINE)
    return linux is not None and linux[1].rsplit("/", 1)[-1] == kernel.image.rsplit("/", 1)[-1]


def strangers(root: Root, volumes: Sequence[Volume]) -> list[str]:
    """What some entry names and was not copied, with the entry."""
    found = []
    for path in entries(root):
        for match in OPTIONS.finditer(root.read(path) or ""):
            found += [f"{path} names {word}" for word in cmdline.strangers(match[2].split(), volumes)]
    return found


def has_console(root: Root) -> bool:
    texts = [root.read(path) or "" for path in (*entries(root), *environments(root))]
    return any("console=ttyS0" in text for text in texts)


def environments(root: Root) -> list[str]:
    vendors = {name for folder in ESP_FOLDERS for name in root.names(f"{folder}/EFI")}
    places = [path.format(vendor=vendor) for path in ENVIRONMENTS for vendor in sorted(vendors) or [""]]
    return [path for path in dict.fromkeys(places) if root.exists(path)]


def read_environment(text: str) -> dict[str, str]:
    return {match["key"]: re.sub(r"\\([\s\S])", r"\1", match["value"]) for match in ASSIGNMENT.finditer(text)}


def environment(values: dict[str, str]) -> str:
    r"""Backslashes and ends of lines are written with a backslash before them; `#` fills the block."""
    lines = "".join(f"{key}={_escaped(value)}\n" for key, value in values.items())
    text = ENVIRONMENT_HEAD + lines
    size = len(text.encode(errors="surrogateescape"))
    if size > ENVIRONMENT_BYTES:
        raise Broken("the GRUB environment has no room for the command line", code="Guest.GrubEnvironment")
    return text + "#" * (ENVIRONMENT_BYTES - size)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\\n")


def _adapt_environment(root: Root, path: str, volumes: Sequence[Volume], *, resumes: bool) -> None:
    text = root.read(path) or ""
    values = read_environment(text)
    options = values.get("kernelopts")
    if options is None or not text.startswith(ENVIRONMENT_HEAD):
        return
    new = _same_or(options, " ".join(cmdline.adapted(options.split(), volumes, resumes=resumes)))
    if new != options:
        root.write(path, environment({**values, "kernelopts": new}), WHY)


def _same_or(old: str, new: str) -> str:
    """`old` when the words are the same: white space alone changes no file."""
    return old if old.split() == new.split() else new


def has_kernel(root: Root, path: str) -> bool:
    """Whether what an entry starts is there; its paths start at the partition that holds the entry."""
    base = path.removesuffix(path[path.index("/loader/entries/") :])
    match = re.search(r"^(?:linux|efi|uki)[ \t]+(\S+)", root.read(path) or "", re.MULTILINE)
    return match is not None and any(root.exists(f"{start}{match[1]}") for start in (base, ""))
