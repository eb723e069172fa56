"""The report of a migration test (drill)."""

from enum import Enum

import msgspec

from smc.model.job import DrillStatus as DrillStatus
from smc.model.report import Level


class Group(Enum):
    SOURCE = "SourceEnvironment"
    NETWORK = "Network"
    TRANSFER = "DataTransfer"
    TARGET = "TargetEnvironment"
    START = "Start"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """`name` is stable, `finding` and `cure` are for a person."""

    group: Group
    name: str
    level: Level
    finding: str
    cure: str = ""


class DrillReport(msgspec.Struct, frozen=True, kw_only=True):
    """`speed` is bytes a second before compression, as measured with real data; 0 when none was moved.

    `seconds` are estimates by stage of the real run. `screenshot` and `console` are hashes of kept blobs.
    """

    run: str
    started: float
    ended: float = 0.0
    size: int = 0
    speed: float = 0.0
    seconds: dict[str, float] = {}
    items: tuple[Item, ...] = ()
    screenshot: str = ""
    console: str = ""

    @property
    def status(self) -> DrillStatus:
        levels = {item.level for item in self.items}
        if Level.CRITICAL in levels:
            return DrillStatus.CRITICAL
        return DrillStatus.WARNING if Level.WARNING in levels else DrillStatus.PASSED
