"""What the pages show exists: each command with its options, each file, each link."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from smc.cli.main import app

ROOT = Path(__file__).parents[3]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
SHOWN = re.compile(r"(?:^|(?<=[`(]))\s*(?:[A-Z_]+=\S+ )?smc ([a-z][^`#|;\n]*)", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
FILE = re.compile(r"`((?:[a-z_]+/)*[a-z_]+\.(?:py|c|h))`")
FOLDERS = ("benchmarks", "demo", "docs", "packaging", "src", "tests")
FILES = [f"/{path.relative_to(ROOT)}" for folder in FOLDERS for path in (ROOT / folder).rglob("*.*")]
COMMAND = typer.main.get_command(app)


def named(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


def commands(page: Path) -> Iterator[list[str]]:
    text = re.sub(r"\\\n\s*", "", page.read_text())
    for shown in SHOWN.findall(text):
        yield shlex.split(shown.rstrip(" .,:)"))


@pytest.mark.parametrize("page", PAGES, ids=named(PAGES))
def test_each_command_that_a_page_shows_is_one_of_the_command_line(page: Path) -> None:
    for words in commands(page):
        command, rest = COMMAND, list(words)
        while rest and (inner := getattr(command, "commands", {}).get(rest[0])):
            command, rest = inner, rest[1:]
        if hasattr(command, "commands"):
            assert not rest or rest[0].startswith("-"), f"smc {shlex.join(words)}: there is no {rest[0]}"
            continue
        options = {option for known in command.params for option in (*known.opts, *known.secondary_opts)}
        unknown = {word.partition("=")[0] for word in rest if word.startswith("--")} - options - {"--help"}
        assert not unknown, f"smc {shlex.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=named(PAGES))
def test_each_file_that_a_page_names_or_leads_to_is_there(page: Path) -> None:
    text = page.read_text()
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    missing += [name for name in FILE.findall(text) if not any(path.endswith(f"/{name}") for path in FILES)]
    assert not missing
