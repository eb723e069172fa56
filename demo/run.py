"""`make demo`: a running Linux server becomes an image that boots, judged from outside, twice."""

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

from demo import judge_boot, sample
from demo.center import Center
from demo.judge import compare_before_boot
from demo.operator import Operator
from demo.ssh import Shell, make_key
from demo.stages import Failed, Stages, indent, say, verdict, wait_until
from smc.base.errors import SmcError
from smc.base.units import readable_size

FOLDER = Path("build/demo")
SECONDS_TO_BOOT = 240.0
SECONDS_TO_MIGRATE = 2400.0
HOST_FROM_SAMPLE = "10.0.2.2"  # how the sample source reaches this machine, as an operator would know it


def main() -> int:
    stages = Stages()
    with ExitStack() as undo:
        try:
            figures = story(stages, undo)
        except (Failed, SmcError) as e:
            return verdict(stages, str(e), "")
        except KeyboardInterrupt:
            return verdict(stages, "interrupted", "")
    return verdict(stages, None, figures)


def story(stages: Stages, undo: ExitStack) -> str:
    """The whole of it, in order. Everything that is started is registered in `undo`."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    key = make_key(FOLDER)

    with stages.stage("build", "the sample source (cached)"):
        disks = sample.build()
    with stages.stage("center", "the center and its embedded local cloud start"):
        center = Center(FOLDER / "data")
        undo.callback(center.stop)
        operator = Operator(center.start(), center.folder)
    with stages.stage("source", "a sample server boots: Debian, GRUB, nginx, a second disk, a busy writer"):
        source = sample.boot(disks, FOLDER / "source", key)
        undo.callback(source.stop)
        shell = Shell(port=source.ssh_port, key=key)
        wait_until("the sample source is ready", SECONDS_TO_BOOT, lambda: source.ready(shell))
        original = judge_boot.facts(shell)
        page = judge_boot.page(source.web_port)
    with stages.stage("import", "the operator's one line is run inside the source"):
        line = operator.import_line(f"{HOST_FROM_SAMPLE}")
        indent(shell.run(line, timeout=300))
        source_id = operator.only_source()
    with stages.stage("migrate", f"a job for {source_id}, through the CLI"):
        job = operator.migrate(source_id, seconds=SECONDS_TO_MIGRATE)
    with stages.stage("compare", "the image's disks beside the living source, by rsync"):
        shell.run("systemctl stop writer", timeout=60)
        compare_before_boot(operator, job, shell, source.ssh_port, key, undo)
    with stages.stage("boot", "an instance boots from the image"):
        instance = operator.boot(job.image_id, undo)
        wait_until("sshd of the instance", SECONDS_TO_BOOT, lambda: judge_boot.banner(instance.ssh_port))
        copy_page = wait_until("its web server", SECONDS_TO_BOOT, lambda: judge_boot.page(instance.web_port))
    with stages.stage("judge", "is it the same server?"):
        if copy_page != page or not page:
            raise Failed("the web server's page is not the source's")
        copy = Shell(port=instance.ssh_port, key=key)
        same = judge_boot.same_machine(original, judge_boot.facts(copy))
        judge_boot.without_agent(copy)
        say(f"    same on both: page, {', '.join(same)}; no trace of the agent on the copy")
    with stages.stage("clean", "nothing temporary is left"):
        operator.nothing_temporary(job)
    return f"{readable_size(job.bytes_done)} in {job.files_done:,} files, image {job.image_id}"


if __name__ == "__main__":
    sys.exit(main())
