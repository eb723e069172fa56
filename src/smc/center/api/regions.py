"""Where servers can be moved to (ours): DescribeRegions, DescribeZones."""

from smc.center.api.context import Context
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request


class DescribeRegions(Request, frozen=True, kw_only=True):
    pass


class DescribeZones(Request, frozen=True, kw_only=True):
    region_id: str


class RegionActions:
    def __init__(self, context: Context) -> None:
        self._context = context

    def actions(self) -> Actions:
        return {
            "DescribeRegions": action(DescribeRegions, self._regions),
            "DescribeZones": action(DescribeZones, self._zones),
        }

    def _regions(self, _request: DescribeRegions, _caller: Caller) -> Reply:
        """Where servers can be moved to."""
        return {"Regions": {"Region": [{"RegionId": self._context.settings.region}]}}

    def _zones(self, request: DescribeZones, _caller: Caller) -> Reply:
        """Zones of the region, those first where an intermediate instance is in stock."""
        self._context.check_region(request.region_id)
        return {"Zones": {"Zone": [{"ZoneId": zone} for zone in self._context.driver.zones()]}}
