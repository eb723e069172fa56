"""The console of the intermediate instance, kept while there is one to ask."""

import logging

from smc.base.errors import SmcError
from smc.center.jobs.work import Work
from smc.center.store.run_logs import INSTANCE
from smc.cloud.driver import Kind

log = logging.getLogger(__name__)

NAME = "console.txt"


def keep_console(work: Work, run: str) -> None:
    """Before it is released, and when the run failed; that it cannot be had hinders nothing."""
    job, now = work.current(run)
    instance = work.kept(run, Kind.INSTANCE)
    if not instance or not job.request.upload_diagnostic_logs:
        return
    try:
        content = work.driver.console_output(instance).encode()
    except SmcError as e:
        log.info("run %s: no console: %s (%s)", run, e.message, e.code)
        return
    work.store.run_logs.keep(job.id, now.number, INSTANCE, NAME, work.blobs.keep(content), len(content))
