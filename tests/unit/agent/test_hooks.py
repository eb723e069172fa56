"""Which scripts of the owner run, and when."""

import os
import threading
from pathlib import Path

import msgspec
import pytest

from smc.agent import frozen, hooks
from smc.agent.child import output_file
from smc.agent.frozen import local_filesystems
from smc.agent.home import Home, HooksWhen
from smc.agent.hooks import COPIED, FAILED, Hooks, Stage, are_wanted, explain, scripts, settle
from smc.base.errors import UserError
from smc.model.job import RunAim


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "smc")
    made.create()
    explain(made)
    return made


def add(home: Home, stage: str, name: str, mode: int = 0o700) -> Path:
    path = home.hooks / stage / name
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_the_folders_and_how_to_fill_them_are_there_and_without_scripts_nothing_runs(home: Home) -> None:
    assert "before/" in (home.hooks / "README").read_text()
    assert not are_wanted(home, RunAim.LAST, print)


@pytest.mark.parametrize(
    ("when", "aims"),
    [
        (HooksWhen.LAST_ROUND, {RunAim.LAST}),
        (HooksWhen.EVERY_ROUND, {RunAim.LAST, RunAim.ROUND}),
        (HooksWhen.NEVER, set()),
    ],
)
def test_scripts_run_in_the_last_round_or_as_the_owner_says_but_in_no_test(
    home: Home, when: HooksWhen, aims: set[RunAim]
) -> None:
    add(home, "after", "10-start")
    home.keep_settings(msgspec.structs.replace(home.settings(), hooks=when))
    assert {aim for aim in RunAim if are_wanted(home, aim, print)} == aims
    assert not are_wanted(home, None, print), "a center that does not say what the run is for"


def test_scripts_are_sorted_and_what_is_not_executable_is_none(home: Home) -> None:
    add(home, "before", "20-b")
    add(home, "before", "10-a")
    add(home, "before", "30-example", mode=0o600)
    assert [path.name for path in scripts(home, Stage.BEFORE)] == ["10-a", "20-b"]
    assert scripts(home, Stage.AFTER) == []


def test_the_jobs_log_tells_of_a_script_that_may_not_be_executed(home: Home) -> None:
    forgotten = add(home, "before", "10-stop", mode=0o600)
    add(home, "before", ".10-stop.swp", mode=0o600)
    add(home, "after", "10-start~", mode=0o600)
    said: list[str] = []
    assert not are_wanted(home, RunAim.LAST, said.append)
    assert said == [f"{forgotten} may not be executed and is not run; if it shall be: chmod u+x {forgotten}"]


def test_one_that_starts_again_is_refused_before_anything_is_stopped(home: Home) -> None:
    add(home, "before", "10-stop")
    add(home, "after", "10-start", mode=0o722)
    with pytest.raises(UserError, match="after/10-start may be changed"):
        are_wanted(home, RunAim.LAST, print)
    failure = Hooks(home, "j-1.1", threading.Event(), lambda sentence, code: None).quiet()
    assert failure is not None and failure.code == "Hooks.Unsafe"
    assert not home.quiet.exists()


def test_a_disk_that_cannot_be_read_ends_the_run_with_a_word(home: Home) -> None:
    add(home, "before", "10-stop")
    (home.root / "user_config.json").unlink()
    (home.root / "user_config.json").mkdir()
    failure = Hooks(home, "j-1.1", threading.Event(), lambda sentence, code: None).quiet()
    assert failure is not None and failure.code == "Hooks.Failed"
    assert "Is a directory" in failure.message
    assert "start the job again" in failure.hint


def test_where_nothing_can_be_started_again_the_run_is_told_so_and_what_is_frozen_thaws(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "thaw", lambda _: 2)
    told: list[tuple[str, str]] = []
    of_run = Hooks(home, "j-1.1", threading.Event(), lambda sentence, code: told.append((sentence, code)))
    assert of_run.quiet() is None
    (home.hooks / "after").rmdir()
    (home.hooks / "after").symlink_to("after")
    of_run.resume(COPIED)
    assert [code for _, code in told] == ["Hooks.AfterFailed", "Hooks.Thawed", ""]
    assert f"Too many levels of symbolic links: '{home.hooks / 'after'}'" in told[0][0]
    assert not home.quiet.exists()


def test_what_an_earlier_script_said_is_not_said_by_one_whose_output_is_lost(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(home, "before", "10-stop").write_text("#!/nothing/starts/it\n")
    (home.logs / "hooks.log").write_text("said by another one")
    monkeypatch.setattr(hooks, "output_file", lambda _: output_file(Path(os.devnull)))
    failure = Hooks(home, "j-1.1", threading.Event(), lambda sentence, code: None).quiet()
    assert failure is not None and "could not be started" in failure.message
    assert "another" not in failure.message


def test_a_link_to_a_script_that_others_may_replace_is_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    script = tmp_path / "shared" / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o700)
    (home.hooks / "before" / "10-a").symlink_to(script)
    with pytest.raises(UserError, match="shared may be changed"):
        are_wanted(home, RunAim.LAST, print)
    (tmp_path / "shared").chmod(0o755)
    assert are_wanted(home, RunAim.LAST, print)


def test_a_script_that_others_may_write_is_refused_before_anything_is_copied(home: Home) -> None:
    path = add(home, "before", "10-a", mode=0o722)
    with pytest.raises(UserError, match="may be changed by others") as refused:
        are_wanted(home, RunAim.LAST, print)
    assert refused.value.code == "Hooks.Unsafe"
    assert f"chmod go-w {path}" in refused.value.hint
    path.chmod(0o700)
    path.parent.chmod(0o777)
    with pytest.raises(UserError, match="before may be changed"):
        are_wanted(home, RunAim.LAST, print)


def test_a_note_that_cannot_be_read_is_a_note_all_the_same(home: Home) -> None:
    home.quiet.write_bytes(b"")
    settle(home)
    assert not home.quiet.exists()


def test_a_filesystem_is_thawed_where_it_was_mounted_first(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text(
        "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "21 20 8:1 /etc/hosts /run/hosts rw - ext4 /dev/sda1 rw\n"
        "22 20 0:5 / /proc rw - proc proc rw\n"
    )
    assert local_filesystems(tmp_path / "mountinfo") == [Path("/")]


def test_a_note_that_cannot_be_removed_hinders_nothing_and_is_of_no_second_start(home: Home) -> None:
    home.quiet.mkdir()  # as on a filesystem that has become read-only: neither written nor removed
    told: list[str] = []
    hooks = Hooks(home, "j-1.1", threading.Event(), lambda sentence, code: told.append(code))
    assert hooks.quiet() is None
    add(home, "after", "10-start", mode=0o722)  # told of at each look for what is to be started
    hooks.resume(COPIED)
    hooks.resume(FAILED)
    assert told == ["Hooks.Unsafe", ""]
    settle(home)  # as does an agent that finds the note
