"""Importing a machine: what is on it afterwards, and what is not when that fails."""

import tomllib
from functools import partial
from pathlib import Path

import pytest
from tests.unit.agent.fake_center import Authority, FakeCenter
from tests.unit.agent.test_agent_orders import SERVER

from smc.agent import exclude_files
from smc.agent.checks import check_source
from smc.agent.home import Credentials, Home, Pulse, Settings
from smc.agent.importing import Import, import_source
from smc.agent.install import Service
from smc.agent.main import main
from smc.agent.version import VERSION
from smc.base.errors import Broken, UserError
from smc.base.run import Arg, Output
from smc.model.codec import encode
from smc.model.traces import AGENT_RUNTIMES, AGENT_TRACES
from smc.wire.oneliner import linux_command


class Source:
    """A source's filesystem, and its systemd: starting the agent makes it beat."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.home = Home(base / "smc")
        self.calls: list[str] = []
        self.beats = True
        (base / "etc/systemd/system").mkdir(parents=True)
        (base / "etc/passwd").write_text("root:x:0:0\n")
        self.service = Service(self.home, do=self.systemctl, base=base, systemd=True)
        self.file = base / "download"
        self.file.write_bytes(b"#!/bin/sh\n")

    def systemctl(self, *argv: Arg, timeout: float, stdin: str = "", ok: object = (0,)) -> Output:
        self.calls.append(" ".join(map(str, argv)))
        if "restart" in argv and self.beats:
            source = self.home.credentials().source_id
            pulse = Pulse(source_id=source, time=2**40, center_clock=0.0)
            self.home.pulse.write_bytes(encode(pulse))
        return Output("", "", 0)

    def run(self, center: FakeCenter, code: str = "right-code", fingerprint: str = "") -> str:
        wanted = Import(
            url=center.url,
            fingerprint=fingerprint or center.authority.fingerprint,
            token_id="at-1",
            token_code=code,
            proxy="",
        )
        return import_source(
            wanted, self.home, self.service, self.file, read=lambda: SERVER, check=lambda folder: None
        )

    def files(self) -> set[str]:
        return {str(path.relative_to(self.base)) for path in self.base.rglob("*") if not path.is_dir()}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    base = tmp_path / "source"
    base.mkdir()
    return Source(base)


def test_an_import_installs_the_agent_and_gives_the_sources_id(source: Source, center: FakeCenter) -> None:
    before = source.files()
    assert source.run(center) == "s-1"
    credentials = source.home.credentials()
    assert (credentials.source_id, credentials.credential) == ("s-1", "secret-of-s-1")
    assert source.home.agent.read_bytes() == source.file.read_bytes()
    assert source.calls == ["systemctl daemon-reload", "systemctl restart smc-agent"]
    for path in source.files() - before:
        assert any(f"/{path}".startswith(trace) for trace in AGENT_TRACES), path
    secret = [source.home.root / name for name in ("credentials.json", "key.pem", "user_config.json")]
    assert {path.stat().st_mode & 0o777 for path in secret} == {0o600}
    assert source.home.root.stat().st_mode & 0o777 == 0o700


def test_the_same_machine_again_is_the_same_source_with_its_key(source: Source, center: FakeCenter) -> None:
    assert source.run(center) == "s-1"
    key = source.home.key().to_pem()
    assert source.run(center) == "s-1"
    assert source.home.key().to_pem() == key
    assert [enrol.source_id for enrol in center.enrolments] == ["", "s-1"]


def test_a_wrong_code_is_refused_and_leaves_nothing(source: Source, center: FakeCenter) -> None:
    before = source.files()
    with pytest.raises(UserError, match="the activation code is wrong"):
        source.run(center, code="wrong")
    assert source.files() == before
    assert not source.home.root.exists()


def test_a_center_with_another_ca_gets_no_code(source: Source, center: FakeCenter) -> None:
    with pytest.raises(UserError) as e:
        source.run(center, fingerprint=Authority().fingerprint)
    assert e.value.code == "Center.WrongFingerprint"
    assert not center.enrolments
    assert not source.home.root.exists()


def test_an_agent_that_does_not_beat_is_taken_away_again(
    source: Source, center: FakeCenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smc.agent.importing.FIRST_BEAT_SECONDS", 0.1)
    source.beats = False
    before = source.files()
    with pytest.raises(Broken) as e:
        source.run(center)
    assert e.value.code == "Agent.NoHeartbeat"
    assert source.files() == before
    assert source.calls[-2:] == ["systemctl stop smc-agent", "systemctl daemon-reload"]


def test_a_failed_second_import_leaves_the_first_as_it_was(source: Source, center: FakeCenter) -> None:
    source.run(center)
    before = source.files()
    with pytest.raises(UserError):
        source.run(center, code="wrong")
    assert source.files() == before
    assert source.home.credentials().source_id == "s-1"


def test_a_folder_that_is_used_for_something_else_is_not_touched(source: Source, center: FakeCenter) -> None:
    source.home.root.mkdir()
    (source.home.root / "accounts.db").write_text("important")
    with pytest.raises(UserError) as e:
        source.run(center)
    assert e.value.code == "Agent.FolderTaken"
    assert [path.name for path in source.home.root.iterdir()] == ["accounts.db"]
    assert not center.enrolments


def test_a_folder_with_a_common_name_that_somebody_else_made_stays(
    source: Source, center: FakeCenter
) -> None:
    (source.home.root / "Logs").mkdir(parents=True)
    (source.home.root / "Logs/years.log").write_text("important")
    for _ in ("refused", "and again"):
        with pytest.raises(UserError) as e:
            source.run(center)
        assert e.value.code == "Agent.FolderTaken"
        assert (source.home.root / "Logs/years.log").read_text() == "important"


def test_a_folder_that_is_a_link_is_refused_for_what_it_leads_to_would_be_copied(
    source: Source, center: FakeCenter
) -> None:
    (source.base / "data").mkdir()
    source.home.root.symlink_to(source.base / "data")
    with pytest.raises(UserError) as e:
        source.run(center)
    assert e.value.code == "Agent.FolderTaken"
    assert list((source.base / "data").iterdir()) == []


def test_an_import_that_fails_half_way_leaves_the_earlier_agent_running(
    source: Source, center: FakeCenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.run(center)
    source.file = source.base / "gone"
    for running in (True, False):
        source.calls.clear()
        monkeypatch.setattr(source.service, "running", partial(is_running, source, before=running))
        with pytest.raises(FileNotFoundError):
            source.run(center)
        assert ("systemctl restart smc-agent" in source.calls) is running


def is_running(source: Source, *, before: bool) -> bool:
    """Until systemd is asked to stop it."""
    return before and not source.calls


def test_a_pulse_of_earlier_is_no_heartbeat(
    source: Source, center: FakeCenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smc.agent.importing.FIRST_BEAT_SECONDS", 0.1)
    source.run(center)
    source.beats = False
    with pytest.raises(Broken) as e:
        source.run(center)
    assert e.value.code == "Agent.NoHeartbeat"


def test_uninstalling_takes_everything_away(source: Source, center: FakeCenter) -> None:
    before = source.files()
    source.run(center)
    (source.home.excludes / "rsync_excludes_linux.txt").write_text("/tmp/*\n")
    for runtime in AGENT_RUNTIMES:
        (source.base / runtime.lstrip("/") / "abc").mkdir(parents=True)
    source.service.remove(with_all_runtimes=True)
    assert source.files() - {"download"} == before - {"download"}
    assert not source.home.root.exists()
    assert not any((source.base / runtime.lstrip("/")).exists() for runtime in AGENT_RUNTIMES)
    source.service.remove(with_all_runtimes=True)


def test_what_is_mounted_below_the_agents_folder_is_never_removed(source: Source, center: FakeCenter) -> None:
    source.run(center)
    seen = source.home.mounts / "0_1"
    seen.mkdir()
    (seen / "of the source").write_text("important")
    source.service.remove()
    assert (seen / "of the source").exists()


@pytest.mark.parametrize("url", ["center", "http://center:1", "https://", "https://c:x", "https://[::1"])
def test_an_address_that_is_none_is_said_to_be_so(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smc.agent.main.import_source", partial(import_source, check=lambda folder: None))
    words = ["import", "--center", url, "--ca-fingerprint", "ab", "--token-id", "at-1", "--token-code", "c"]
    assert main(words, Home(tmp_path / "smc")) == 1
    assert "https://HOST:PORT" in capsys.readouterr().err


def test_an_import_says_when_nothing_starts_the_agent_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smc.agent.main.import_source", lambda *_: "s-1")
    words = ["import", "--center", "https://c", "--ca-fingerprint", "", "--token-id", "", "--token-code", ""]
    told = []
    for exists in (True, False):
        monkeypatch.setattr("smc.agent.install.SYSTEMD_RUNS", tmp_path if exists else tmp_path / "none")
        assert main(words, Home(tmp_path / "smc")) == 0
        told.append("no systemd" in capsys.readouterr().out)
    assert told == [False, True]


@pytest.mark.parametrize("verb", ["", "import", "run", "status"])
def test_the_help_of_every_verb_names_each_option(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as e:
        main([*filter(None, [verb]), "--help"])
    assert e.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    words = {
        "": ("import", "run", "status", "--abort", "--uninstall", "--version", "receive --help"),
        "import": ("--center", "--ca-fingerprint", "--token-id", "--token-code", "--proxy", "if not given"),
        "run": ("SIGTERM", "user_config.json", "defaults are no proxy and INFO"),
        "status": ("Exit status 0", "3 when not"),
    }
    assert [word for word in words[verb] if word not in text] == []


def test_what_the_owner_has_written_stays_over_an_import(source: Source, center: FakeCenter) -> None:
    source.run(center)
    (source.home.excludes / "rsync_excludes_linux.txt").write_text("/tmp/*\n")
    source.home.keep_settings(Settings(log_level="DEBUG"))
    source.run(center)
    assert exclude_files.read(source.home.excludes, 0) == ("/tmp/*",)
    assert source.home.settings().log_level == "DEBUG"


def test_a_mistake_in_the_settings_is_named(source: Source) -> None:
    source.home.create()
    (source.home.root / "user_config.json").write_text('{"proxy": 3}')
    with pytest.raises(UserError, match=r"user_config\.json.*proxy"):
        source.home.settings()
    (source.home.root / "user_config.json").write_text('{"log_level": "LOUD"}')
    with pytest.raises(UserError, match=r"user_config\.json.*LOUD"):
        source.home.settings()


def test_a_server_without_room_is_told_how_much_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("smc.agent.checks.ROOM", 1 << 60)
    with pytest.raises(UserError) as e:
        check_source(tmp_path / "smc")
    assert e.value.code == "Agent.NoRoom"


def test_only_root_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(UserError) as e:
        check_source(tmp_path)
    assert e.value.code == "Agent.NotRoot"


def test_status_and_abort_of_a_machine_that_was_never_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path / "smc")
    assert main(["status"], home) == 1
    assert "has not been imported" in capsys.readouterr().err
    assert main(["run"], home) == 1
    capsys.readouterr()
    assert main(["--abort"], home) == 0
    assert capsys.readouterr().out == "No agent is running on this machine.\n"


def test_status_tells_that_the_agent_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path / "smc")
    home.create()
    (home.root / "credentials.json").write_bytes(
        encode(Credentials(url="https://c:1", ca="", source_id="s-7", credential="very secret"))
    )
    assert main(["status"], home) == 3
    out = capsys.readouterr().out
    assert "s-7" in out
    assert "not running" in out
    assert "very secret" not in out


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_the_import_command_is_one_line_that_quotes_what_it_is_given() -> None:
    line = linux_command(
        host="fd00::1",
        port=8444,
        ca_fingerprint="ab" * 32,
        agent_sha256="cd" * 32,
        token_id="at-1",
        token_code="a b'c$(id)",
    )
    assert "\n" not in line
    assert "https://[fd00::1]:8444" in line
    assert "$(id)'" in line.replace("'\"'\"'", "'")


@pytest.mark.parametrize("kernel", ["5.15.153.1-microsoft-standard-WSL2", "4.4.0-19041-Microsoft"])
def test_a_linux_within_a_windows_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: str
) -> None:
    (tmp_path / "osrelease").write_text(f"{kernel}\n")
    monkeypatch.setattr("smc.agent.checks.KERNEL", tmp_path / "osrelease")
    with pytest.raises(UserError, match="within a Windows") as e:
        check_source(tmp_path)
    assert e.value.code == "Agent.WithinWindows"
