"""What an operator types: every step of the demo's job goes through the `smc` command."""

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from demo.center import SMC
from demo.stages import Failed, say

VERB_SECONDS = 60.0


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A finished job: what the API says of it at the end."""

    job_id: str
    image_id: str
    bytes_done: int
    files_done: int
    report: dict[str, Any]  # Any: JSON of the report, schema in model/report.py


class Operator:
    """Somebody at a shell on the center's machine, with the data folder at hand."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def smc(self, *words: str, seconds: float = VERB_SECONDS) -> Any:  # Any: JSON of any verb
        """Run `smc WORDS --json`. Raises `Failed` with the command's own sentence."""
        done = subprocess.run(
            [str(SMC), *words, "--json", "--data-dir", str(self.data_dir)],
            check=False,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        if done.returncode:
            raise Failed(f"smc {' '.join(words)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def import_line(self, host: str) -> str:
        """The line to run as root on a source that reaches the center by `host`."""
        made = self.smc("token", "create", "--name", "demo", "--host", host)
        line: str = made["LinuxCommand"]
        say(f"    $ {line}")
        return line

    def only_source(self) -> str:
        found = self.smc("source", "list")["SourceServers"]["SourceServer"]
        if len(found) != 1 or found[0]["State"] != "Available":
            raise Failed(f"one source that is Available is wanted, got {found}")
        source: str = found[0]["SourceId"]
        say(f"    {source}: {found[0]['Platform']} {found[0]['Architecture']}, {found[0]['State']}")
        return source

    def migrate(self, source: str, *, seconds: float) -> Done:
        """Create the job, start it and show its progress to the end."""
        words = ("--name", "demo", "--image-name", "demo-image", "--method", "create-only")
        job = self.smc("job", "create", source, *words)["JobId"]
        shown = subprocess.run(
            [str(SMC), "job", "start", job, "--wait", "--data-dir", str(self.data_dir)],
            check=False,
            timeout=seconds,
        )
        if shown.returncode:
            raise Failed(f"job {job} did not finish; its log: {self._log(job)}")
        return self._done(job)

    def run_to_its_end(self, job: str, shown: Path, *, seconds: float) -> None:
        """Start a job and write what its progress shows to `shown`; it may end well or not."""
        words = [str(SMC), "job", "start", job, "--wait", "--data-dir", str(self.data_dir)]
        with shown.open("w") as output:
            try:
                subprocess.run(words, check=False, timeout=seconds, stdout=output, stderr=subprocess.STDOUT)
            except subprocess.TimeoutExpired as e:
                raise Failed(f"job {job} is not at its end after {seconds:g} s") from e

    def boot(self, image: str, ssh_port: int, web_port: int) -> str:
        """An instance from the image, with its sshd and web server on ports of this machine."""
        words = ("--open-port", f"22={ssh_port}", "--open-port", f"80={web_port}")
        made = self.smc("instance", "create", image, "--name", "demo-copy", *words)
        instance: str = made["InstanceId"]
        return instance

    def release(self, instance: str) -> None:
        subprocess.run(
            [str(SMC), "instance", "delete", instance, "--data-dir", str(self.data_dir)],
            check=False,
            timeout=VERB_SECONDS,
            capture_output=True,
        )

    def _done(self, job: str) -> Done:
        described = self.smc("job", "list")["ReplicationJobs"]["ReplicationJob"]
        image = next(j["ImageId"] for j in described if j["JobId"] == job)
        progress = self.smc("job", "progress", job)
        report = self.smc("job", "report", job)["Reports"]["Report"][0]
        return Done(
            job_id=job,
            image_id=image,
            bytes_done=progress["BytesDone"],
            files_done=progress["FilesDone"],
            report=report,
        )

    def _log(self, job: str) -> str:
        lines = self.smc("job", "log", job)["LogLines"]["LogLine"]
        return "; ".join(f"{line['Time']} {line['Message']}" for line in lines[-10:])
