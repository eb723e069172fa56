"""The story of a verification: boot the image by itself, look at it, let it go.

Each step is written into the journal when it is done; a center that is killed goes on from there, and another
story begins a new attempt, which finds by its tags what the one before has made.
"""

import logging
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from dbos import DBOS

from smc.base.errors import Broken, SmcError, Transient
from smc.center.jobs.work import Work
from smc.center.store.job_log import WARNING
from smc.center.store.verifications import Outcome, Verification, VerificationState
from smc.center.verification.place import choose_ports, launch, leave, make_group, make_network
from smc.center.verification.probe import Probe
from smc.center.verification.watch import Watch
from smc.model.progress import Failure

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)


def verify(work: Work, verification: str, probe: Probe) -> str:
    """Tell it to its end; the answer is the value of a `VerificationState`."""
    step = Steps(work, verification)
    try:
        ports = step(choose_ports)
        network = step(make_network)
        group = step(make_group, network)
        instance = step(launch, network, group, ports)
        state = step(watch, instance, probe)
    except SmcError as e:
        state = step(give_up, Failure.of(e))
    try:
        step(leave)
    except SmcError as e:
        step(tell_what_stays, Failure.of(e))
    return step(end, state)


class Steps:
    """Takes the steps; what may work later is tried until patience ends."""

    def __init__(self, work: Work, verification: str) -> None:
        self._work, self._verification = work, verification

    def __call__(
        self, do: Callable[Concatenate[Work, Verification, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def edge() -> T:
            limit = self._work.clock.monotonic() + self._work.settings.patience_seconds
            while True:
                self._work.look_whether_it_closes()
                try:
                    return do(self._work, self._current(), *args, **kwargs)
                except Transient as e:
                    log.info("%s: %s: %s (%s)", self._verification, do.__name__, e.message, e.code)
                    if self._work.clock.monotonic() >= limit:
                        raise Broken(e.message, code=e.code, hint=e.hint) from e
                except SmcError:
                    raise
                except Exception as e:  # an error nobody thought of must not leave it running for ever
                    log.exception("%s: %s failed", self._verification, do.__name__)
                    raise Broken(f"{do.__name__}: {type(e).__name__}: {e}") from e
                self._work.rest()

        return DBOS.run_step({"name": do.__name__}, edge)

    def _current(self) -> Verification:
        found = self._work.store.verifications.find(self._verification)
        if found is None:
            raise Broken(f"there is no verification {self._verification}", code="Verification.NotFound")
        return found


def watch(work: Work, one: Verification, instance: str, probe: Probe) -> str:
    """What an earlier attempt has decided stays."""
    outcome = one.outcome or Watch(work, one, instance, probe).until_decided()
    return str((VerificationState.NOT_VERIFIED if outcome.code else VerificationState.VERIFIED).value)


def give_up(work: Work, one: Verification, failure: Failure) -> str:
    """Nothing is known of the image: it could not be booted at all."""
    outcome = Outcome(code=failure.code, message=failure.message, hint=failure.hint)
    work.store.verifications.keep(one.id, outcome, console="", screenshot="")
    return VerificationState.NOT_RUN.value


def tell_what_stays(work: Work, one: Verification, failure: Failure) -> None:
    """What cannot be released is named in the log of the job; the verification ends all the same."""
    log.warning("%s: not released: %s (%s)", one.id, failure.message, failure.code)
    if work.store.jobs.find(one.job) is not None:
        message = f"What was made for the verification {one.id} could not be released: {failure.message}"
        work.store.log.add(one.job, message, level=WARNING, code=failure.code, hint=failure.hint)


def end(work: Work, one: Verification, state: str) -> str:
    work.store.verifications.end(one.id, VerificationState(state))
    return state
