"""The distribution of this host as its own apt configuration describes it: suite, mirrors, kernel.

Mirrors are read here at run time and written nowhere in our code. Other vendors' repositories are left out.
"""

import platform
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from smc.base.errors import UserError
from smc.base.run import Run, run

ETC = Path("/etc")
CLOUD_KERNELS = {  # distribution -> the small kernel it makes for virtual machines
    "debian": {"x86_64": "linux-image-cloud-amd64", "aarch64": "linux-image-cloud-arm64"},
    "ubuntu": {"x86_64": "linux-image-virtual", "aarch64": "linux-image-virtual"},
}
COMPONENTS = {"debian": ("main",), "ubuntu": ("main", "universe")}
KEYRINGS = ("debian-archive-", "ubuntu-archive-")  # anything signed by another key is another vendor's
# what makes this host's apt reach its mirrors; the rest of its configuration is this host's own matter
FETCH_OPTIONS = re.compile(r"^Acquire::(https?::|Check-|Retries|ForceIPv|.*::Proxy)", re.IGNORECASE)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One line of sources.list."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""

    def line(self) -> str:
        options = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {options}{self.uri} {self.suite} {' '.join(self.components)}"


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    codename: str
    kernel: str
    sources: tuple[Source, ...]


def host_distribution(etc: Path = ETC) -> Distribution:
    """Raises `UserError` where this host is neither Debian nor Ubuntu or names no mirror of it."""
    release = _os_release(etc / "os-release")
    name, codename = release.get("ID", ""), release.get("VERSION_CODENAME", "")
    if name not in CLOUD_KERNELS or not codename:
        raise UserError(
            f"System images can be built on Debian and Ubuntu, and this host is {name or 'unknown'}.",
            code="LocalCloud.HostUnsupported",
            hint="Run the local cloud on a Debian or Ubuntu machine.",
        )
    sources = tuple(_own(_configured(etc / "apt"), codename, COMPONENTS[name]))
    if not any(source.suite == codename for source in sources):
        raise UserError(
            f"apt on this host names no mirror of {name} {codename}.",
            code="LocalCloud.NoMirror",
            hint="Look at /etc/apt/sources.list and /etc/apt/sources.list.d.",
        )
    kernel = CLOUD_KERNELS[name][platform.machine()]
    return Distribution(id=name, codename=codename, kernel=kernel, sources=sources)


def fetch_options(run: Run = run) -> list[str]:
    """Proxies, certificates and the like, as lines of apt.conf."""
    dump = run("apt-config", "dump", timeout=30).stdout
    return [line for line in dump.splitlines() if FETCH_OPTIONS.match(line) and not line.endswith('"";')]


def parse_list(text: str) -> Iterator[Source]:
    """The one-line format, sources.list(5)."""
    for raw in text.splitlines():
        found = re.match(r"deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)((?:\s+[^\s#]+)*)", raw.strip())
        if found:
            options = dict(option.split("=", 1) for option in (found[1] or "").split() if "=" in option)
            yield Source(
                uri=found[2],
                suite=found[3],
                components=tuple(found[4].split()),
                signed_by=options.get("signed-by", ""),
            )


def parse_sources(text: str) -> Iterator[Source]:
    """The deb822 format, sources.list(5)."""
    text = re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n", text):
        fields = {
            name.lower(): value.split()
            for name, value in re.findall(r"^([\w-]+):((?:.*)(?:\n[ \t].*)*)", paragraph, re.MULTILINE)
        }
        if "deb" not in fields.get("types", []) or fields.get("enabled", ["yes"])[0].lower() in (
            "no",
            "false",
        ):
            continue
        signed_by = fields.get("signed-by", [""])
        for uri in fields.get("uris", []):
            for suite in fields.get("suites", []):
                yield Source(
                    uri=uri,
                    suite=suite,
                    components=tuple(fields.get("components", [])),
                    signed_by=signed_by[0] if len(signed_by) == 1 else "embedded key",
                )


def _configured(apt: Path) -> Iterator[Source]:
    parts = sorted((apt / "sources.list.d").glob("*")) if (apt / "sources.list.d").is_dir() else []
    for path in (apt / "sources.list", *parts):
        if path.suffix == ".list" and path.is_file():
            yield from parse_list(path.read_text())
        elif path.suffix == ".sources" and path.is_file():
            yield from parse_sources(path.read_text())


def _own(sources: Iterable[Source], codename: str, components: tuple[str, ...]) -> Iterator[Source]:
    suites = {codename, f"{codename}-updates", f"{codename}-security"}
    for source in sources:
        wanted = tuple(part for part in components if part in source.components)
        keyring = Path(source.signed_by).name
        ours = not keyring or keyring.startswith(KEYRINGS)
        if source.suite in suites and wanted and ours:
            yield msgspec.structs.replace(source, components=wanted)


def _os_release(path: Path) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    return {key: value.strip().strip("\"'") for key, value in pairs}
