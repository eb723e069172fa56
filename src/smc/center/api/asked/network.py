"""Where the intermediate instance is, and of which type it is."""

from msgspec.structs import replace

from smc.base.errors import UserError
from smc.center.api.asked.draft import Asking, Draft
from smc.center.api.asked.target import TARGET_INSTANCE
from smc.center.api.words import invalid
from smc.cloud.driver import Driver

NET_MODE_PRIVATE = 2


def check_network(asking: Asking, draft: Draft) -> Draft:
    sent, request = asking.sent, draft.request
    if sent.instance_type:
        request = replace(request, instance_type=sent.instance_type)
    net_mode = request.net_mode if sent.net_mode is None else sent.net_mode
    if net_mode not in (0, NET_MODE_PRIVATE):
        raise invalid("NetMode", "NetMode must be 0 (Internet) or 2 (private network).")
    if request.target_type == TARGET_INSTANCE:
        return replace(draft, request=replace(request, net_mode=net_mode))  # its network is its own
    if sent.vpc_id or sent.v_switch_id or sent.net_mode is not None:
        vswitch = sent.v_switch_id or request.vswitch_id
        vpc = _vpc(asking.context.driver, net_mode, vswitch, sent.vpc_id)
        request = replace(request, net_mode=net_mode, vswitch_id=vswitch, vpc_id=vpc)
    return replace(draft, request=request)


def _vpc(driver: Driver, net_mode: int, vswitch: str, wanted: str) -> str:
    """The VPC of the vSwitch, "" when the center makes a network of its own."""
    if not vswitch:
        if net_mode == NET_MODE_PRIVATE:
            raise UserError(
                "NetMode 2 needs a VSwitchId.",
                code="MissingParameter.VSwitchId",
                hint="Give the vSwitch that the source reaches by VPN or leased line.",
            )
        if wanted:
            raise UserError(
                "VpcId is given without VSwitchId.",
                code="MissingParameter.VSwitchId",
                hint="Give the vSwitch for the intermediate instance, or leave VpcId out.",
            )
        return ""
    vpc = driver.vpc_of(vswitch)
    if wanted not in ("", vpc):
        raise UserError(
            f"The vSwitch {vswitch} is not in the VPC {wanted} but in {vpc}.",
            code="VSwitchIdVpcId.Mismatch",
            hint="Leave VpcId out: the vSwitch tells it.",
        )
    return vpc
