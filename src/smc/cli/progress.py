"""A job's progress as a bar that moves, or as lines where nobody watches."""

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from smc.base.units import readable_seconds, readable_size
from smc.cli.output import err, out
from smc.client.api import Api
from smc.client.views import operator_word
from smc.client.watch import Moment, watch


def follow(api: Api, job_id: str, *, seconds: float, quiet: bool = False) -> None:
    """Show the job until it is settled; exits 1 unless it finished."""
    last: Moment | None = None
    with _bar(Console(stderr=True) if quiet else out) as bar:
        task = bar.add_task(job_id, total=100)
        shown = ""
        for last in watch(api, job_id, seconds=seconds):
            line = describe(last)
            bar.update(task, completed=last.job.progress, description=line)
            if not bar.console.is_terminal and line != shown:
                bar.console.print(f"{last.job.progress:5.1f}%  {line}", markup=False)
            shown = line
    if last is None or last.job.status != "Finished":
        if last is not None and last.job.status == "InError":
            err.print(f"job {job_id} failed [{last.job.error_code}]: {last.job.status_info}", markup=False)
            err.print(
                f"  -> mend the cause, then `smc job start {job_id}` goes on where it stopped", markup=False
            )
        raise typer.Exit(1)
    out.print(f"finished: image {last.job.image_id} ({last.job.image_name})")


def describe(moment: Moment) -> str:
    """`Synchronizing: 312.0 MiB of 1.1 GiB, 9,120 of 24,811 files, 31.2 MiB/s, 0:25 left`."""
    progress = moment.progress
    words = [operator_word(moment.job)]
    if moment.job.business_status == "Syncing" and progress.bytes_total:
        words[0] += ":"
        words.append(f"{readable_size(progress.bytes_done)} of {readable_size(progress.bytes_total)},")
        words.append(f"{progress.files_done:,} of {progress.files_total:,} files,")
        words.append(f"{readable_size(progress.speed)}/s,")
        left = progress.seconds_left
        words.append("time left unknown" if left is None else f"{readable_seconds(left)} left")
    elif progress.note and moment.job.status == "Running":
        words.append(f"({progress.note})")
    return " ".join(words)


def _bar(console: Console) -> Progress:
    return Progress(
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>5.1f}%"),
        TextColumn("{task.description}", markup=False),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
