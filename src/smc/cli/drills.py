"""`smc drill`: the migration test of a job, and how long a migration will take."""

from typing import Annotated

import typer

from smc.base.units import readable_seconds, readable_size
from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, show_json, show_table
from smc.client.api import Json

app = typer.Typer(no_args_is_help=True, help="Migration tests.")

JobId = Annotated[str, typer.Argument(help="Job id: j-...")]


@app.command("show")
def show(
    job: JobId,
    every: Annotated[bool, typer.Option("--all", help="Also what passed.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """The newest report of a job's migration test: what was found, and what to do."""
    answer = connect(data_dir).call("DescribeDrillReports", {"JobId": job})
    if as_json:
        show_json(answer)
        return
    reports = answer["DrillReports"]["DrillReport"]
    if not reports:
        out.print(f"{job} was not tested yet; `smc drill retry {job}` tests it")
        return
    _show(reports[0], every=every)


@app.command("retry")
def retry(job: JobId, data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """Test a migration that has not begun, for the first time or once more."""
    answer = connect(data_dir).call("RetryDrill", {"JobId": job})
    if as_json:
        show_json(answer)
    else:
        out.print(f"testing {job}; `smc job watch {job}` follows it, `smc drill show {job}` has the report")


@app.command("estimate")
def estimate(
    source: Annotated[str, typer.Argument(help="Source id: s-...")],
    bandwidth: Annotated[
        float, typer.Option(help="Mbit/s of the line, for a source of which nothing was measured.")
    ] = 0.0,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """How long the migration of a source will take."""
    api = connect(data_dir)
    told = api.call("EstimateMigration", {"SourceId": source, "Bandwidth": bandwidth or None})
    if as_json:
        show_json(told)
        return
    how = "measured" if told["Measured"] else "assumed"
    out.print(f"{readable_size(told['DataVolume'])} at {readable_size(int(told['Speed']))}/s ({how})")
    _show_stages(told)
    out.print(f"in all {readable_seconds(told['TotalSeconds'])}")


def _show(report: Json, *, every: bool) -> None:
    out.print(f"{report['Run']}: {report['Status']}, {report['StartTime']} to {report['EndTime'] or 'now'}")
    if report["DataVolume"]:
        speed = readable_size(int(report["Speed"]))
        out.print(f"{readable_size(report['DataVolume'])} were copied, {speed}/s; the real run will take:")
        _show_stages(report)
    items = [item for item in report["Items"]["Item"] if every or item["Level"] != "Passed"]
    if not items:
        out.print("nothing was found that stands in the way")
        return
    rows = ((item["Level"], item["Name"], item["Description"], item["Solution"]) for item in items)
    show_table(("LEVEL", "ITEM", "FINDING", "WHAT TO DO"), rows)


def _show_stages(told: Json) -> None:
    for stage in told["Stages"]["Stage"]:
        out.print(f"  {stage['Name']:<10} {readable_seconds(stage['Seconds'])}")
