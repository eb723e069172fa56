"""The repositories on one database, together."""

from smc.center.bell import Bell
from smc.center.clock import SYSTEM, Clock
from smc.center.quotas import Quotas
from smc.center.store.access_keys import AccessKeys
from smc.center.store.batches import Batches
from smc.center.store.crossings import Crossings
from smc.center.store.database import Database, open_database
from smc.center.store.drills import Drills
from smc.center.store.events import Events
from smc.center.store.history import History
from smc.center.store.job_changes import JobChanges
from smc.center.store.job_log import JobLog
from smc.center.store.job_times import JobTimes
from smc.center.store.jobs import Jobs
from smc.center.store.outbox import Outbox
from smc.center.store.presence import Presence
from smc.center.store.receivers import Receivers
from smc.center.store.resources import Resources
from smc.center.store.run_logs import RunLogTable
from smc.center.store.runs import Runs
from smc.center.store.sources import OFFLINE_SECONDS, Sources
from smc.center.store.subscriptions import Subscriptions
from smc.center.store.tags import Tags
from smc.center.store.takeovers import Takeovers
from smc.center.store.templates import Templates
from smc.center.store.tokens import ActivationCodes
from smc.center.store.users import Users
from smc.center.store.verifications import Verifications
from smc.center.store.workgroups import Workgroups

DEFAULT_QUOTAS = Quotas()


class Store:
    """`region` is the three-character code within ids; `bell` rings when an order changes."""

    def __init__(
        self, database: Database, region: str, clock: Clock = SYSTEM, quotas: Quotas = DEFAULT_QUOTAS
    ) -> None:
        self.bell = Bell()
        self.clock = clock
        self.access_keys = AccessKeys(database, clock)
        self.users = Users(database, clock)
        self.codes = ActivationCodes(database, region, clock)
        self.sources = Sources(database, region, clock, quotas)
        self.jobs = Jobs(database, region, self.bell, clock, quotas)
        self.times = JobTimes(database, clock)
        self.changes = JobChanges(database, self.bell)
        self.runs = Runs(database, self.bell)
        self.history = History(database)
        self.drills = Drills(database)
        self.receivers = Receivers(database, clock)
        self.resources = Resources(database, clock)
        self.takeovers = Takeovers(database)
        self.crossings = Crossings(database, clock)
        self.log = JobLog(database, clock)
        self.events = Events(database, clock)
        self.presence = Presence(database, clock, OFFLINE_SECONDS)
        self.subscriptions = Subscriptions(database, region, clock)
        self.outbox = Outbox(database)
        self.verifications = Verifications(database, region, clock)
        self.run_logs = RunLogTable(database, clock)
        self.tags = Tags(database)
        self.templates = Templates(database, region, clock, quotas)
        self.batches = Batches(database, region, clock)
        self.workgroups = Workgroups(database, region, clock, quotas)
        self._database = database

    def close(self) -> None:
        self._database.close()


def open_store(url: str, region: str, clock: Clock = SYSTEM, quotas: Quotas = DEFAULT_QUOTAS) -> Store:
    return Store(open_database(url), region, clock, quotas)
