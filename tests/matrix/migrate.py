"""One row by the full path: a source boots, is imported, becomes an image, which boots as that server."""

import json
import re
import shutil
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from demo import judge_boot
from demo.center import Center, free_port
from demo.operator import Operator
from demo.run import CENTER_FROM_SOURCE
from demo.ssh import Shell
from demo.stages import Failed, Stages, wait_until
from tests.matrix import besides, source
from tests.matrix.builder import Built

SECONDS_TO_BOOT = 1800.0  # 100 s under emulation on an idle machine, 400 s at a load of 25 on two cores
SECONDS_TO_IMPORT = 900.0
SECONDS_TO_MIGRATE = 2400.0
SECONDS_TO_SAY = 600.0  # every label of some ten thousand files, emulated
LAST_LINES = 3  # of a console that go into a cause
WHO = "cat /etc/hostname /etc/machine-id /etc/marker"
FILES = (  # every name with what it is, and every content; of the marker tree and of who may log in
    "cd /srv/marker && find . -type d -printf '%P %y %m %U:%G %T@\\n'"
    " -o -printf '%P %y %m %U:%G %s %n %T@ %l\\n' | sort"
    " && find . -type f -exec sha256sum {} + | sort -k 2"
    " && sha256sum /etc/passwd /etc/shadow /etc/ssh/ssh_host_*_key"
)
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\x20-\x7e]")  # colours and the like on a console


def migrate(row: dict[str, str], source_of: Callable[[], Built], folder: Path, stages: Stages) -> None:
    """`source_of` gives the row's source when it is built.

    Raises `Failed`, or an error of the product, with why the copy did not boot as the same server.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with stages.stage("build", "its source (kept for the next run)"):
        built = source_of()
    with ExitStack() as undo:
        undo.callback(keep_only_logs, folder)
        center = Center(folder / "data")
        with stages.stage("center", "the center and its local cloud start"):
            undo.callback(center.stop)
            center.start()
            operator = Operator(center.folder)
        with stages.stage("source", "the source boots"):
            shell = undo.enter_context(source.running(row, built, folder / "source"))
            console = folder / "source" / "serial.log"
            wait_for_login(shell, console, "the source")
            who, files = shell.run(WHO, timeout=60), shell.run(FILES, timeout=60)
            more = besides.of(row)
            said = shell.run(more.asked, timeout=SECONDS_TO_SAY, ok=(0, 1, 2)) if more else ""
        with stages.stage("import", "the operator's one line"):
            shell.run(operator.import_line(CENTER_FROM_SOURCE), timeout=SECONDS_TO_IMPORT)
            imported = operator.only_source()
        with stages.stage("migrate", "a job from the command line, migrated now"):
            image = image_of(operator, imported, folder)
        with stages.stage("boot", "an instance from the image"):
            port = free_port()
            made = operator.smc("instance", "create", image, "--name", "copy", "--open-port", f"22={port}")
            undo.callback(operator.release, made["InstanceId"])
            console = center.folder / "cloud" / "instances" / made["InstanceId"] / "serial.log"
            copy = Shell(port=port, key=built.key)
            wait_for_login(copy, console, "the copy")
        with stages.stage("judge", "is it the same server?"):
            told = copy.run(WHO, timeout=60)
            if told != who:
                raise Failed(f"hostname, machine id and marker were {who!r} and are {told!r}")
            differ = different(files, copy.run(FILES, timeout=60))
            if differ:
                raise Failed(f"files are others on the copy: {'; '.join(differ[:LAST_LINES])}")
            judge_boot.without_agent(copy)
            if more:
                now = copy.run(more.asked, timeout=SECONDS_TO_SAY, ok=(0, 1, 2))
                if why := besides.different(more, said, now):
                    raise Failed(f"{row['besides']}: {why}")


def image_of(operator: Operator, imported: str, folder: Path) -> str:
    """The image of a job that ran to its end; what it said is kept in `folder`."""
    words = ("--name", "matrix", "--image-name", "matrix", "--method", "create-only")
    how = ("--compress-level", "0")  # the line is this machine's own, and a processor emulated here is slow
    job = operator.smc("job", "create", imported, *words, *how)["JobId"]
    try:
        operator.run_to_its_end(job, folder / "job-shown.log", seconds=SECONDS_TO_MIGRATE)
        told = _job(operator, job)
    finally:
        keep_what_was_said(operator, job, folder)
    if told["Status"] != "Finished":
        raise Failed(f"{told['Status']} [{told['ErrorCode']}] {told['StatusInfo']}")
    image: str = told["ImageId"]
    return image


def keep_what_was_said(operator: Operator, job: str, folder: Path) -> None:
    """The job's log and report and the consoles of its instances, as long as they are there."""
    for verb in ("log", "report"):
        with suppress(Failed):  # there is no report of a job that failed early
            text = json.dumps(operator.smc("job", verb, job), indent=1, ensure_ascii=False)
            (folder / f"job-{verb}.log").write_text(text)
    for console in (operator.data_dir / "cloud" / "instances").glob("*/serial.log"):
        shutil.copyfile(console, folder / f"{console.parent.name}.log")


def different(before: str, after: str) -> list[str]:
    """Lines that only one of two lists has."""
    return sorted(set(before.splitlines()) ^ set(after.splitlines()))


def wait_for_login(shell: Shell, console: Path, who: str) -> None:
    """sshd answers and lets root in; a machine that does not is told by the end of its console."""
    try:
        wait_until(f"sshd of {who}", SECONDS_TO_BOOT, lambda: judge_boot.banner(shell.port))
        wait_until(f"a login on {who}", SECONDS_TO_BOOT, shell.answers)
    except Failed as e:
        raise Failed(f"{e}; its console ends: {last_lines(console)}") from e


def last_lines(console: Path) -> str:
    if not console.exists():
        return "there is none"
    lines = [CONTROL.sub("", line).strip() for line in console.read_text(errors="replace").splitlines()]
    return " / ".join([line for line in lines if line][-LAST_LINES:]) or "it is empty"


def keep_only_logs(folder: Path) -> None:
    """Disks of a run that is over are of no use and large; what was said is kept to look into."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.suffix != ".log":
            path.unlink()


def _job(operator: Operator, job: str) -> dict[str, Any]:  # Any: JSON of the API
    jobs = operator.smc("job", "list")["ReplicationJobs"]["ReplicationJob"]
    found: dict[str, Any] = next(each for each in jobs if each["JobId"] == job)
    return found
