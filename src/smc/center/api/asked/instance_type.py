"""The type of the intermediate instance: one that the source's programs run on, and that can be had now."""

from collections.abc import Sequence

from smc.base.errors import UserError
from smc.center.api.asked.draft import Asking, Draft
from smc.center.api.words import invalid
from smc.cloud.catalogue import InstanceType
from smc.model.server import Architecture

MOST_TOLD = 5  # types that could be had


def check_instance_type(asking: Asking, draft: Draft) -> Draft:
    """Raises `UserError`: `InvalidInstanceType.NotFound`, `InvalidParameter.InstanceType`,
    `OperationDenied.NoStock`.
    """
    if asking.sent.instance_type:
        _require(asking, asking.sent.instance_type, draft.request.vswitch_id)
    return draft


def _require(asking: Asking, wanted: str, vswitch: str) -> None:
    catalogue = asking.context.driver.catalogue
    place = catalogue.vswitch(vswitch) if vswitch else None
    zone = place.zone if place else ""
    architecture = asking.source.server.architecture
    able = Architecture.X86_64 if architecture is Architecture.I386 else architecture
    types = catalogue.instance_types(zone)
    found = [kind for kind in types if kind.id == wanted]
    cure = _cure([kind for kind in types if kind.architecture is able and kind.zones])
    if not found:
        raise UserError(
            f"There is no instance type {wanted} here.", code="InvalidInstanceType.NotFound", hint=cure
        )
    if found[0].architecture is not able:
        raise invalid(
            "InstanceType",
            f"Programs of the source ({architecture.value}) do not run on {wanted}.",
            cure,
        )
    if not found[0].zones:
        raise UserError(
            f"The instance type {wanted} is out of stock in {zone or 'every zone of the region'}.",
            code="OperationDenied.NoStock",
            hint=cure,
        )


def _cure(in_stock: Sequence[InstanceType]) -> str:
    cheapest = sorted(in_stock, key=lambda kind: (kind.memory_gib, kind.cpus, kind.id))[:MOST_TOLD]
    names = ", ".join(kind.id for kind in cheapest) or "none"
    return (
        f"In stock are, for example: {names}. Leave InstanceType out to take the cheapest that is in stock."
    )
