"""A job's progress as a bar that moves, or as lines where nobody watches."""

import time

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from smc.base.units import readable_seconds, readable_size
from smc.cli.output import err, out
from smc.client.api import Api
from smc.client.views import operator_word
from smc.client.watch import Moment, ProgressView, is_scheduled, watch

SECONDS_BETWEEN_LINES = 5.0


def follow(api: Api, job_id: str, *, seconds: float, quiet: bool = False) -> None:
    """Show the job until it is settled; exits 1 unless it finished, or waits for its next round."""
    last: Moment | None = None
    with _bar(Console(stderr=True) if quiet else out) as bar:
        task = bar.add_task(job_id, total=100)
        lines = _Lines(bar.console)
        for last in watch(api, job_id, seconds=seconds):
            bar.update(task, completed=last.job.progress, description=describe(last))
            if not bar.console.is_terminal:
                lines.show(last)
    if last is not None and last.job.status == "Waiting":
        image = f"image {last.job.image_id} ({last.job.image_name})"
        out.print(f"round {last.job.round} is done: {image}", markup=False)
        out.print(f"  the next one begins at {last.job.next_start_time}", markup=False)
        return
    if last is None or last.job.status != "Finished":
        if last is not None and last.job.status == "InError":
            err.print(f"job {job_id} failed [{last.job.error_code}]: {last.job.status_info}", markup=False)
            err.print(
                f"  -> mend the cause, then `smc job start {job_id}` goes on where it stopped", markup=False
            )
        raise typer.Exit(1)
    container = last.job.container_image
    named = f"container image {container.reference}" if container else ""
    out.print(f"finished: {named or f'image {last.job.image_id} ({last.job.image_name})'}")
    if container and container.layout:
        out.print(f"  an OCI image layout at the center: {container.layout}", markup=False)


class _Lines:
    """For logs and pipes: a line when the stage changes, and every few seconds within one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = ""
        self._due = 0.0

    def show(self, moment: Moment) -> None:
        stage = f"{operator_word(moment.job)} {moment.progress.phase}"
        if stage == self._stage and time.monotonic() < self._due:
            return
        self._stage, self._due = stage, time.monotonic() + SECONDS_BETWEEN_LINES
        self._console.print(f"{moment.job.progress:5.1f}%  {describe(moment)}", markup=False, soft_wrap=True)


def describe(moment: Moment) -> str:
    """`Synchronizing: 312.0 MiB of 1.1 GiB, 9,120 of 24,811 files, 31.2 MiB/s (9.1 MiB/s ...), 0:25 left`."""
    progress = moment.progress
    words = [operator_word(moment.job)]
    if moment.job.business_status == "Syncing" and progress.bytes_total:
        words[0] += ":"
        words.append(f"{readable_size(progress.bytes_done)} of {readable_size(progress.bytes_total)},")
        words.append(f"{progress.files_done:,} of {progress.files_total:,} files,")
        words.append(f"{readable_size(progress.speed)}/s")
        words.append(f"({readable_size(progress.wire_speed)}/s on the wire),")
        left = progress.seconds_left
        words.append("time left unknown" if left is None else f"{readable_seconds(left)} left")
    elif is_scheduled(moment.job):
        words.append(f"(starts at {moment.job.next_start_time})")
    elif progress.note and moment.job.status == "Running":
        words.append(f"({progress.note})")
    return " ".join(words)


def details(progress: ProgressView) -> list[str]:
    """Lines below the one of `describe`: the wire, each disk, what both ends say of themselves."""
    settings = progress.settings
    level = "unknown" if progress.compress_level is None else str(progress.compress_level)
    wire, resent = readable_size(progress.wire_bytes), readable_size(progress.resent_bytes)
    lines = [
        f"on the wire: {wire}, sent again: {resent}",
        f"compression level: {settings.compress_level} wanted, {level} now; limit: "
        + (f"{settings.bandwidth_limit} Mbit/s" if settings.bandwidth_limit else "none")
        + f"; checksum: {'on' if settings.checksum else 'off'}; ssl: {settings.ssl}",
    ]
    for disk in progress.disks.disk:
        files = f", {disk.files_done:,} of {disk.files_total:,} files" if disk.files_total is not None else ""
        lines.append(
            f"disk {disk.index}: {readable_size(disk.bytes_done)} of {readable_size(disk.bytes_total)}{files}"
        )
    if progress.agent_note:
        lines.append(f"agent: {progress.agent_note}")
    if progress.receiver_note:
        lines.append(f"receiver: {progress.receiver_note}")
    return lines


def _bar(console: Console) -> Progress:
    return Progress(
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>5.1f}%"),
        TextColumn("{task.description}", markup=False),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
