"""The shape of the code, held by a test instead of by memory (docs/design/README.md, The tree)."""

import ast
import subprocess
import sys
import sysconfig
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src"
STUBS = sorted((SRC / "smc").rglob("*.pyi"))  # the faces of modules in C
FILES = sorted([*(SRC / "smc").rglob("*.py"), *STUBS])
C_FILES = sorted([*(SRC / "native").glob("*.c"), *(SRC / "native").glob("*.h")])
COMPILED = {"smc.transfer.native"}  # from src/native; packaging/agent compiles it for the agent too
LAYERS = (  # a package imports itself and packages on lines above its own
    {"base"},
    {"model"},
    {"wire", "rpc", "cloud", "guest", "client"},
    {"transfer"},
    {"agent", "receiver", "localcloud", "center"},
    {"console"},
    {"cli"},
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
CLOSURES = {  # what is inside a closure imports nothing outside it
    "agent": {"base", "model", "wire", "transfer", "agent"},
    "receiver": {"base", "model", "wire", "transfer", "guest", "receiver"},
    "console": {"base", "model", "client", "console"},
}
TRAVELS = CLOSURES["agent"] | CLOSURES["receiver"]  # runs on other people's machines
TRAVELS_WITH = {"smc", "msgspec", "zstandard", "xxhash"}
ABSENT_IN_AGENT = {"ctypes", "sqlite3", "bz2", "lzma", "curses", "readline"}  # reference: static build
LONGEST = 400


def module(path: Path) -> str:
    return ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")


def package(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


MODULES = {module(path) for path in FILES}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in full}
    return found


GRAPH = {module(path): imports(path) for path in FILES}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_package_imports_only_lower_layers(name: str) -> None:
    for other in GRAPH[name] & MODULES:
        mine, theirs = package(name), package(other)
        assert not theirs or theirs == mine or RANK[theirs] < RANK[mine], f"{name} imports {other}"


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter({name: GRAPH[name] & MODULES for name in MODULES}).prepare()
    except CycleError as e:
        pytest.fail(" -> ".join(e.args[1]))


@pytest.mark.parametrize("program", CLOSURES)
def test_programs_are_closed(program: str) -> None:
    inside = CLOSURES[program] | {""}
    for name in MODULES:
        if package(name) in CLOSURES[program]:
            outside = {other for other in GRAPH[name] & MODULES if package(other) not in inside}
            assert not outside, f"{name} imports {outside}"


@pytest.mark.parametrize("name", sorted(name for name in MODULES if package(name) in TRAVELS))
def test_what_goes_to_other_machines_needs_only_what_can_be_compiled_in(name: str) -> None:
    used = {imported.split(".")[0] for imported in GRAPH[name]}
    assert used <= sys.stdlib_module_names | TRAVELS_WITH
    assert not used & ABSENT_IN_AGENT


@pytest.mark.parametrize("program", ["agent", "receiver"])
def test_a_program_starts_without_the_center(program: str) -> None:
    code = f"import smc.{program}.main, sys; print(*sorted(m for m in sys.modules if m.startswith('smc.')))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {package(name) for name in out.stdout.split()} <= CLOSURES[program]


@pytest.mark.parametrize("path", FILES, ids=module)
def test_files_stay_small_and_inits_stay_empty(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LONGEST
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the first sentence of a file says its one subject"
    if path.name == "__init__.py":
        assert len(tree.body) == 1, "an __init__ holds a docstring and nothing else"


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_stand_at_the_top(path: Path) -> None:
    tree = ast.parse(path.read_text())
    top = {id(node) for node in tree.body}
    inner = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom) and id(n) not in top]
    assert not inner, f"line {inner[0].lineno}: an import inside a block"


@pytest.mark.parametrize("path", FILES, ids=module)
def test_there_is_one_door_to_other_programs(path: Path) -> None:
    if module(path) != "smc.base.run":
        assert "subprocess" not in GRAPH[module(path)]


def test_each_module_in_c_has_a_stub_and_each_stub_a_module() -> None:
    assert {module(path) for path in STUBS} == COMPILED


@pytest.mark.parametrize("path", C_FILES, ids=lambda path: path.name)
def test_c_files_stay_small_and_say_their_subject_first(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LONGEST
    assert text.startswith("/* "), "the first comment of a file says its one subject"


@pytest.mark.parametrize("path", sorted((SRC / "native").glob("*.c")), ids=lambda path: path.name)
def test_the_compiler_has_nothing_to_say(path: Path) -> None:
    """Where the product is installed warnings are not errors: another compiler may know more of them."""
    flags = (SRC / "native/flags.txt").read_text().split()
    words = ["gcc", "-fsyntax-only", "-Werror", *flags, f"-I{sysconfig.get_path('include')}", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
