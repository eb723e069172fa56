"""Options of a job that say how it transfers and what it leaves behind, as the API takes them."""

import json
import re
from dataclasses import dataclass
from typing import Annotated

import typer

from smc.base.errors import UserError
from smc.client.api import Json

OF_DISK = re.compile(r"(\d{1,2})=(.+)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Transfer:
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="rsync pattern of what to leave behind, relative to /."),
    ] = None
    disk_exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DISK=PATTERN",
            help="The same for one disk (0: the system disk), relative to where it is mounted.",
        ),
    ] = None
    bandwidth_limit: Annotated[
        int | None,
        typer.Option(min=0, metavar="MBIT", help="Mbit/s on the wire, all streams together; 0: none."),
    ] = None
    compress_level: Annotated[
        int | None, typer.Option(min=0, max=10, help="0: off, 1: fastest, 10: smallest; 7 if never given.")
    ] = None
    checksum: Annotated[
        bool | None,
        typer.Option("--checksum/--no-checksum", help="Re-read both ends instead of trusting size and time."),
    ] = None
    ssl: Annotated[
        str | None,
        typer.Option(
            metavar="auto|on|off", help="off: streams of data go in the clear, signed but readable."
        ),
    ] = None

    def parameters(self, before: str = "") -> str | None:
        """ReplicationParameters with what was given; None when nothing was. `before`: as they are now."""
        given = {
            "bandwidth_limit": self.bandwidth_limit,
            "compress_level": self.compress_level,
            "checksum": self.checksum,
            "ssl": self.ssl,
        }
        changes = {key: value for key, value in given.items() if value is not None}
        now: dict[str, object] = json.loads(before) if before else {}
        return json.dumps({**now, **changes}) if changes else None

    def excludes(self) -> list[str | Json] | None:
        """The parameter Excludes. Raises `UserError` (`InvalidParameter.Excludes`)."""
        found: list[str | Json] = list(self.exclude or [])
        for text in self.disk_exclude or []:
            match = OF_DISK.fullmatch(text)
            if match is None:
                raise UserError(
                    f"--disk-exclude {text}: DISK=PATTERN is wanted",
                    code="InvalidParameter.Excludes",
                    hint="For example --disk-exclude 1=/cache/ leaves out the folder cache of data disk 1.",
                )
            found.append({"Disk": int(match[1]), "Pattern": [match[2]]})
        return found or None
