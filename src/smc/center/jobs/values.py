"""What the steps of a run hand on through the journal: ids, never tickets or keys."""

from enum import Enum

import msgspec

from smc.base.errors import SmcError, UserError
from smc.model.progress import Failure

SYNC_FROM, SYNC_TO = 5.0, 80.0  # percent of the whole job in which the data moves


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """`zone` is "" where the vSwitch was given: then it tells the zone."""

    vpc: str
    vswitch: str
    zone: str


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The intermediate instance and the port its receiver listens on."""

    instance: str
    port: int


class Synced(Enum):
    """How the copying ended; its value is what the journal holds."""

    ALL = "all"
    STOPPED = "stopped"


class Ending(Enum):
    """How a run ended; its value is the result of its workflow."""

    FINISHED = "Finished"
    WAITING = "Waiting"
    STOPPED = "Stopped"
    IN_ERROR = "InError"
    RESTED = "Ready"  # a drill that was all that was wished
    REHEARSED = "Rehearsed"  # a drill after which the real run goes on
    OVERTAKEN = "Overtaken"  # a newer run has begun, or the job is being deleted: nothing was written


class Overtaken(SmcError):
    """This run is not the job's current one: it must not touch anything any more."""

    code = "Run.Overtaken"


class InstanceLost(UserError):
    """The intermediate instance was released from outside: the copy is gone with it."""

    code = "TransitionInstance.NotFound"


def lost(instance: str) -> InstanceLost:
    return InstanceLost(
        f"The intermediate instance {instance} was released; the copy is gone with it.",
        hint="Delete the job and create it again.",
    )


VALUES = (Network, Machine, Failure)
ERRORS = (Overtaken, InstanceLost)
