"""The host's own apt configuration gives suite and mirrors, and nobody else's repository."""

from pathlib import Path

import pytest

from smc.base.errors import UserError
from smc.base.run import Output
from smc.localcloud.apt import fetch_options, host_distribution, parse_list, parse_sources

DEBIAN = 'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
UBUNTU = "ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n"

DEB822 = """# the distribution
Types: deb deb-src
# an older mirror
URIs: http://mirror.example/debian http://second.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


def host(tmp_path: Path, release: str, **files: str) -> Path:
    (tmp_path / "os-release").write_text(release)
    folder = tmp_path / "apt" / "sources.list.d"
    folder.mkdir(parents=True)
    for name, text in files.items():
        target = folder / name.replace("_", ".")
        target.write_text(text)
    return tmp_path


def lines(etc: Path) -> list[str]:
    return [source.line() for source in host_distribution(etc).sources]


def test_both_formats_give_the_same_source() -> None:
    one_line = "deb [arch=amd64 signed-by=/k.gpg] http://m.example/debian bookworm main contrib # note"
    deb822 = (
        "Types: deb\nURIs: http://m.example/debian\nSuites: bookworm\nComponents: main contrib\n"
        "Signed-By: /k.gpg\n"
    )
    assert list(parse_list(one_line)) == list(parse_sources(deb822))


def test_every_mirror_and_suite_of_the_distribution_is_used(tmp_path: Path) -> None:
    found = lines(host(tmp_path, DEBIAN, debian_sources=DEB822))
    keyring = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert f"deb {keyring} http://mirror.example/debian bookworm main" in found
    assert f"deb {keyring} http://second.example/debian bookworm-updates main" in found
    assert f"deb {keyring} http://mirror.example/debian-security bookworm-security main" in found
    assert len(found) == 5


@pytest.mark.parametrize(
    "other",
    [
        "deb https://vendor.example/apt vendor-bookworm main",
        "deb https://vendor.example/apt bookworm stable",
        "deb [signed-by=/etc/apt/keyrings/vendor.gpg] https://vendor.example/apt bookworm main",
        "deb-src http://mirror.example/debian bookworm main",
        "# deb http://old.example/debian bookworm main",
    ],
)
def test_other_vendors_sources_and_comments_are_left_out(tmp_path: Path, other: str) -> None:
    etc = host(tmp_path, DEBIAN, debian_sources=DEB822, other_list=other)
    assert len(lines(etc)) == 5


def test_a_disabled_source_is_left_out(tmp_path: Path) -> None:
    etc = host(tmp_path, DEBIAN, debian_sources=DEB822, off_sources="Enabled: no\n" + DEB822.split("\n\n")[1])
    assert len(lines(etc)) == 5


def test_ubuntu_has_its_own_kernel_and_components(tmp_path: Path) -> None:
    sources = "deb http://mirror.example/ubuntu noble main restricted universe multiverse\n"
    (tmp_path / "apt").mkdir()
    (tmp_path / "apt" / "sources.list").write_text(sources)
    (tmp_path / "os-release").write_text(UBUNTU)
    found = host_distribution(tmp_path)
    assert found.kernel == "linux-image-virtual"
    assert found.sources[0].components == ("main", "universe")


def test_a_host_that_is_neither_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        host_distribution(host(tmp_path, "ID=fedora\n"))
    assert refused.value.code == "LocalCloud.HostUnsupported"


def test_a_host_without_a_mirror_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        host_distribution(host(tmp_path, DEBIAN, other_list="deb https://vendor.example/apt stable main"))
    assert refused.value.code == "LocalCloud.NoMirror"


def test_only_what_apt_needs_to_reach_its_mirrors_is_taken_over() -> None:
    dump = (
        'APT::NeverAutoRemove "";\nAcquire::http::Proxy "http://proxy.example:3128/";\n'
        'Acquire::https::Verify-Peer "true";\nAcquire::Check-Valid-Until "false";\n'
        'Acquire::Changelogs::URI "x";\nDPkg::Post-Invoke "rm -rf /";\nAcquire::http "";\n'
    )

    def run(*argv: object, timeout: float, stdin: str = "", ok: object = (0,)) -> Output:
        return Output(dump, "", 0)

    assert fetch_options(run) == [
        'Acquire::http::Proxy "http://proxy.example:3128/";',
        'Acquire::https::Verify-Peer "true";',
        'Acquire::Check-Valid-Until "false";',
    ]
