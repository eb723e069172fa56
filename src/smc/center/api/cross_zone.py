"""CreateCrossZoneMigrationJob, which is refused: public_gaps.py says why."""

from smc.base.errors import UserError
from smc.center.api.context import Context
from smc.center.api.public_gaps import REFUSED_ACTIONS
from smc.center.api.words import ClientToken
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

NAME = "CreateCrossZoneMigrationJob"


class CrossZoneDisk(Request, frozen=True, kw_only=True):
    disk_id: str = ""
    category: str = ""
    performance_level: str = ""


class CreateCrossZoneMigrationJob(Request, frozen=True, kw_only=True):
    region_id: str = ""
    client_token: ClientToken = ""
    instance_id: str = ""
    target_zone_id: str = ""
    target_v_switch_id: str = ""
    target_instance_type: str = ""
    auto_pay: bool = True
    disk: tuple[CrossZoneDisk, ...] = ()
    resource_group_id: str = ""


class CrossZoneActions:
    def __init__(self, context: Context) -> None:
        del context

    def actions(self) -> Actions:
        return {NAME: action(CreateCrossZoneMigrationJob, self._refuse)}

    def _refuse(self, _request: CreateCrossZoneMigrationJob, _caller: Caller) -> Reply:
        raise UserError(
            f"{NAME} is not supported: {REFUSED_ACTIONS[NAME]}",
            code=f"UnsupportedAction.{NAME}",
            hint="Import the instance as a source, let a job make an image of it, and make an instance from "
            "the image in the other zone; or use the console of the cloud.",
        )
