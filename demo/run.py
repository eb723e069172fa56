"""`make demo`: a running Linux server becomes an image that boots, judged from outside, twice."""

import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from demo import judge_boot, sample
from demo.center import Center, free_port
from demo.judge import compare_before_boot
from demo.judge_copy import named_by
from demo.leftovers import nothing_temporary
from demo.operator import Operator
from demo.ssh import Shell
from demo.stages import Failed, Stages, indent, say, verdict, wait_until
from smc.base.errors import SmcError
from smc.base.units import readable_size

FOLDER = Path("build/demo")
SECONDS_TO_BOOT = 300.0
SECONDS_TO_IMPORT = 300.0
SECONDS_TO_MIGRATE = 3000.0
CENTER_FROM_SOURCE = "10.0.2.2"  # this machine as the sample source sees it: QEMU's user network


def main() -> int:
    stages = Stages()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end what was started, as for Ctrl-C
    with ExitStack() as undo:
        try:
            figures = story(stages, undo)
        except (Failed, SmcError) as e:
            return verdict(stages, str(e), "")
        except KeyboardInterrupt:
            return verdict(stages, "interrupted", "")
    return verdict(stages, None, figures)


def story(stages: Stages, undo: ExitStack) -> str:
    """The whole of it, in order; what is started is ended by `undo`. Returns the figures of the run."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with stages.stage("build", "the sample source (kept for the next run)"):
        built = sample.build()
    with stages.stage("center", "the center and its embedded local cloud start"):
        center = Center(FOLDER / "data")
        undo.callback(center.stop)
        center.start()
        operator = Operator(center.folder)
    with stages.stage("source", "a server boots: Debian, GRUB, nginx, a second disk, a busy writer"):
        source = sample.boot(built, FOLDER / "source")
        undo.callback(source.stop)
        shell = Shell(port=source.ssh_port, key=built.key)
        source.wait_ready(shell, SECONDS_TO_BOOT)
        original, page = judge_boot.facts(shell), judge_boot.page(source.web_port)
    with stages.stage("import", "the operator's one line, inside the source"):
        indent(shell.run(operator.import_line(CENTER_FROM_SOURCE), timeout=SECONDS_TO_IMPORT))
        imported = operator.only_source()
    with stages.stage("migrate", f"{imported} becomes an image, through the command line"):
        done = operator.migrate(imported, seconds=SECONDS_TO_MIGRATE)
    with stages.stage("compare", "the image's disks beside the living source, by rsync; its writer rests"):
        shell.run("systemctl stop writer", timeout=60)
        named, moving = named_by(done.report)
        judgement = compare_before_boot(center.driver(), done.image_id, shell, named, moving, undo)
        for difference in judgement.unexplained:
            say(f"    {difference.what} {difference.path}")
        if judgement.unexplained:
            raise Failed(f"{len(judgement.unexplained)} differences that nobody has explained")
        for reason, count in sorted(judgement.reasons.items()):
            say(f"    {count:4} paths: {reason}")
    with stages.stage("boot", "an instance from the image"):
        ssh_port, web_port = free_port(), free_port()
        instance = operator.boot(done.image_id, ssh_port, web_port)
        undo.callback(operator.release, instance)
        said = wait_until("sshd of the copy", SECONDS_TO_BOOT, lambda: judge_boot.banner(ssh_port))
        say(f"    {said}")
    boot_seconds = stages.seconds["boot"]
    with stages.stage("judge", "is it the same server?"):
        copied = wait_until("the copy's web page", SECONDS_TO_BOOT, lambda: judge_boot.page(web_port))
        if copied != page:
            raise Failed("the web page of the copy is not the source's")
        copy = Shell(port=ssh_port, key=built.key)
        same = judge_boot.same_machine(original, judge_boot.facts(copy))
        judge_boot.without_agent(copy)
        operator.only_source()  # the copy sends no heartbeat
        say(f"    the same: web page, {', '.join(same)}. No trace of the agent on the copy.")
    with stages.stage("clean", "nothing temporary is left"):
        operator.release(instance)
        nothing_temporary(center.driver(), done.job_id)
    return (
        f"{readable_size(done.bytes_done)} in {done.files_done:,} files,"
        f" the copy's sshd answers after {boot_seconds:.0f} s, image {done.image_id}"
    )


if __name__ == "__main__":
    sys.exit(main())
