"""What the code imports is what pyproject.toml asks for: a fresh machine has nothing else."""

import ast
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

ROOT = Path(__file__).parents[2]


def declared() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [name_of(text) for text in project["dependencies"]]


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def installed_with(names: list[str]) -> set[str]:
    """The distributions and all they need; extras are not asked for."""
    found: set[str] = set()
    while names:
        name = names.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = requires(name) or []
        except PackageNotFoundError:  # for another system
            continue
        names += [name_of(text) for text in needed if "extra ==" not in text]
    return found


def imported() -> set[str]:
    names: set[str] = set()
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names - sys.stdlib_module_names - {"smc"}


def test_what_is_imported_is_installed_with_what_is_declared() -> None:
    distributions = packages_distributions()
    have = installed_with(declared())
    missing = [
        name for name in imported() if not {name_of(found) for found in distributions.get(name, [])} & have
    ]
    assert not missing
