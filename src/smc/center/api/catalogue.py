"""What the destination has to choose from (ours): networks, security groups, instance types."""

from smc.center.api.context import Context
from smc.center.api.words import Text
from smc.model.server import Architecture
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request


class DescribeVpcs(Request, frozen=True, kw_only=True):
    region_id: str


class DescribeVSwitches(Request, frozen=True, kw_only=True):
    region_id: str
    vpc_id: Text = ""
    zone_id: Text = ""


class DescribeSecurityGroups(Request, frozen=True, kw_only=True):
    region_id: str
    vpc_id: Text = ""


class DescribeInstanceTypes(Request, frozen=True, kw_only=True):
    region_id: str
    zone_id: Text = ""
    architecture: Architecture | None = None


class CatalogueActions:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._catalogue = context.driver.catalogue

    def actions(self) -> Actions:
        return {
            "DescribeVpcs": action(DescribeVpcs, self._vpcs),
            "DescribeVSwitches": action(DescribeVSwitches, self._vswitches),
            "DescribeSecurityGroups": action(DescribeSecurityGroups, self._groups),
            "DescribeInstanceTypes": action(DescribeInstanceTypes, self._types),
        }

    def _vpcs(self, request: DescribeVpcs, _caller: Caller) -> Reply:
        """VPCs of the region with their ranges."""
        self._context.check_region(request.region_id)
        vpcs = [
            {"VpcId": vpc.id, "VpcName": vpc.name, "CidrBlock": vpc.cidr} for vpc in self._catalogue.vpcs()
        ]
        return {"TotalCount": len(vpcs), "Vpcs": {"Vpc": vpcs}}

    def _vswitches(self, request: DescribeVSwitches, _caller: Caller) -> Reply:
        """vSwitches, of one VPC or zone or all, with their ranges and how many addresses are free."""
        self._context.check_region(request.region_id)
        vswitches = [
            {
                "VSwitchId": vswitch.id,
                "VSwitchName": vswitch.name,
                "VpcId": vswitch.vpc,
                "ZoneId": vswitch.zone,
                "CidrBlock": vswitch.cidr,
                "AvailableIpAddressCount": vswitch.free,
            }
            for vswitch in self._catalogue.vswitches(request.vpc_id)
            if request.zone_id in ("", vswitch.zone)
        ]
        return {"TotalCount": len(vswitches), "VSwitches": {"VSwitch": vswitches}}

    def _groups(self, request: DescribeSecurityGroups, _caller: Caller) -> Reply:
        """Security groups, of one VPC or all."""
        self._context.check_region(request.region_id)
        groups = [
            {"SecurityGroupId": group.id, "SecurityGroupName": group.name, "VpcId": group.vpc}
            for group in self._catalogue.security_groups(request.vpc_id)
        ]
        return {"TotalCount": len(groups), "SecurityGroups": {"SecurityGroup": groups}}

    def _types(self, request: DescribeInstanceTypes, _caller: Caller) -> Reply:
        """Instance types with their architecture, and whether they are in stock: in the zone, or in any."""
        self._context.check_region(request.region_id)
        wanted = request.architecture
        cpu = Architecture.X86_64 if wanted is Architecture.I386 else wanted  # which runs programs of i386
        types = [
            {
                "InstanceTypeId": kind.id,
                "Cpu": kind.cpus,
                "MemoryGiB": kind.memory_gib,
                "Architecture": kind.architecture.value,
                "InStock": bool(kind.zones),
                "Zones": {"ZoneId": list(kind.zones)},
            }
            for kind in self._catalogue.instance_types(request.zone_id)
            if cpu in (None, kind.architecture)
        ]
        return {"TotalCount": len(types), "InstanceTypes": {"InstanceType": types}}
