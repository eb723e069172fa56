"""Systems as trees of files, written down in one text each: `==> /path <==`, then the file's content.

`==> /path -> target <==` is a link, `==> /path/ <==` a folder. The first lines say its origin.
"""

import re
from pathlib import Path

FACTS = Path(__file__).parent
HEADING = re.compile(r"^==> (?P<path>\S+)(?: -> (?P<target>\S+))? <==$")


def plant(name: str, root: Path) -> Path:
    """Make the tree `name` below `root`, which is made too."""
    root.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[str]] = {}
    links: dict[str, str] = {}
    lines: list[str] = []  # the label goes here and is left out
    for line in (FACTS / f"{name}.tree").read_text().splitlines(keepends=True):
        heading = HEADING.match(line.rstrip("\n"))
        if heading is None:
            lines.append(line)
        elif heading["target"]:
            links[heading["path"]] = heading["target"]
        else:
            lines = found.setdefault(heading["path"], [])
    for path, text in found.items():
        at = root / path.lstrip("/")
        if path.endswith("/"):
            at.mkdir(parents=True, exist_ok=True)
        else:
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_text("".join(text))
    for path, target in links.items():
        at = root / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.symlink_to(target)
    return root
