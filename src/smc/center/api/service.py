"""All actions of the API as one service of the RPC kit."""

from smc.center.api.access import AccessActions
from smc.center.api.audit import Gate
from smc.center.api.batches import BatchActions
from smc.center.api.catalogue import CatalogueActions
from smc.center.api.context import Context
from smc.center.api.cross_zone import CrossZoneActions
from smc.center.api.diagnostics import DiagnosticActions
from smc.center.api.drills import DrillActions
from smc.center.api.events import EventActions
from smc.center.api.exports import ExportActions
from smc.center.api.image_check import ImageCheckActions
from smc.center.api.images import ImageActions
from smc.center.api.jobs import JobActions
from smc.center.api.preview import PlanActions
from smc.center.api.progress import ProgressActions
from smc.center.api.regions import RegionActions
from smc.center.api.sources import SourceActions
from smc.center.api.subscriptions import SubscriptionActions
from smc.center.api.tags import TagActions
from smc.center.api.target_instances import TargetInstanceActions
from smc.center.api.templates import TemplateActions
from smc.center.api.tokens import TokenActions
from smc.center.api.verifications import VerificationActions
from smc.center.api.workgroups import WorkgroupActions
from smc.rpc.dispatch import Actions, Service

VERSION = "2019-06-01"


def actions(context: Context) -> Actions:
    subjects = (
        TokenActions,
        SourceActions,
        WorkgroupActions,
        TagActions,
        BatchActions,
        TemplateActions,
        JobActions,
        CrossZoneActions,
        PlanActions,
        ProgressActions,
        DrillActions,
        ImageActions,
        ExportActions,
        RegionActions,
        EventActions,
        SubscriptionActions,
        CatalogueActions,
        TargetInstanceActions,
        AccessActions,
        VerificationActions,
        ImageCheckActions,
        DiagnosticActions,
    )
    return {name: found for subject in subjects for name, found in subject(context).actions().items()}


def service(context: Context) -> Service:
    gate = Gate(context.store)
    return Service(
        versions={VERSION: actions(context)},
        secret_of=context.store.access_keys.secret_of,
        admit=gate.admit,
        note=gate.note,
    )
