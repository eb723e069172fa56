"""Images as files outside the cloud; part of the Driver contract."""

from enum import Enum
from typing import Protocol

import msgspec


class Format(Enum):
    """Of a disk's file, in the words of the vendor's API."""

    RAW = "raw"
    QCOW2 = "qcow2"
    VHD = "vhd"
    VMDK = "vmdk"


class ExportState(Enum):
    RUNNING = "Processing"
    FINISHED = "Finished"
    FAILED = "Failed"


class ExportSpec(msgspec.Struct, frozen=True, kw_only=True):
    """`bucket` is where the files go, `prefix` what their names begin with, `role` who may write there."""

    image: str
    format: Format = Format.QCOW2
    bucket: str = ""
    prefix: str = ""
    role: str = ""


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """`why` is told of one that failed."""

    task: str
    state: ExportState
    percent: int = 0
    why: str = ""


class Exports(Protocol):
    def start(self, spec: ExportSpec) -> str:
        """The id of the task. Clouds have no token for it: asked twice, it is done twice.

        Raises `UserError` for a bucket or role that the cloud does not accept, `Broken` without the image.
        """
        ...

    def look(self, task: str) -> Export | None:
        """None for a task that the cloud does not know."""
        ...
