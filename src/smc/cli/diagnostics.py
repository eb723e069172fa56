"""`smc job diagnostics`: everything known of a job, in one archive to hand on."""

import base64
import hashlib
from pathlib import Path
from typing import Annotated

import typer

from smc.base.errors import Broken
from smc.cli.connection import AsJson, connect
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.output import out, save, show_json, show_table
from smc.client.api import Api


def diagnostics(
    job: Annotated[str, typer.Argument(help="Job id: j-...")],
    into: Annotated[Path | None, typer.Option(help="Write the archive, a tar.gz, to this file.")] = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """List the logs that are kept of a job, or write all that is known of it into an archive.

    Secrets are taken out of it: it can be handed on.
    """
    api = connect(data_dir)
    if into is not None:
        content = _fetch(api, job)
        save(into, content, mode=0o600)
        out.print(f"{into}: {len(content)} bytes")
        return
    answer = api.call("DescribeDiagnostics", {"JobId": job})
    if as_json:
        show_json(answer)
        return
    show_table(
        ("RUN", "FROM", "LOG", "BYTES", "WHEN"),
        ((log["Run"], log["Sender"], log["Name"], log["Size"], log["Time"]) for log in answer["Logs"]["Log"]),
    )


def _fetch(api: Api, job: str) -> bytes:
    """Raises `Broken` when what arrived is not what was made."""
    answer = api.call("DescribeDiagnosticBundle", {"JobId": job})
    name, content = answer["Sha256"], base64.b64decode(answer["Content"])
    for part in range(2, answer["Parts"] + 1):
        answer = api.call("DescribeDiagnosticBundle", {"JobId": job, "Sha256": name, "Part": part})
        content += base64.b64decode(answer["Content"])
    if hashlib.sha256(content).hexdigest() != name:
        raise Broken("the archive has not arrived whole", code="Diagnostics.Damaged", hint="Try again.")
    return content
