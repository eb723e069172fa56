"""Looking at an instance that boots: until each wished port answers, or it is clear that it will not."""

import logging

from smc.base.errors import SmcError, Transient
from smc.center.jobs.work import Work
from smc.center.store.verifications import Outcome, PortFound, Verification
from smc.center.verification.causes import Cause, cause_of
from smc.center.verification.probe import Answer, Probe
from smc.cloud.driver import Power

SETTLE_SECONDS = 30.0  # a console that says why, and then nothing for so long, has said the last of it
GRACE_SECONDS = 60.0  # a center that was away while the time ran out looks once more
NOT_RUNNING = "Verification.NotRunning"
log = logging.getLogger(__name__)


class Watch:
    def __init__(self, work: Work, one: Verification, instance: str, probe: Probe) -> None:
        self._work = work
        self._one = one
        self._instance = instance
        self._probe = probe
        self._found = {port: PortFound(port=port, state=Answer.SILENT.value) for port in one.wish.ports}
        self._was_on = False
        self._went_off = False
        self._network_up = False

    def until_decided(self) -> Outcome:
        """Keeps console and picture; the answer is in the store too."""
        clock = self._work.clock
        began = clock.now()
        deadline = max(self._one.created + self._one.wish.timeout, began + GRACE_SECONDS)
        suspect: Cause | None = None
        said, since = "", began
        while True:
            self._look()
            if self._answers:
                return self._decide(None, began)
            console, now = self._console(), clock.now()
            if console != said:
                said, since, suspect = console, now, cause_of(console)
            settled = suspect is not None and suspect.lasting and now - since >= SETTLE_SECONDS
            if settled or self._went_off or now >= deadline:
                return self._decide(suspect, began)
            self._work.rest()

    @property
    def _answers(self) -> bool:
        return all(found.state == Answer.ANSWERS.value for found in self._found.values())

    def _look(self) -> None:
        """Power, then ports; what the cloud does not tell just now is asked again."""
        try:
            seen = self._work.driver.instance(self._instance)
            power = seen.power if seen else None
            self._was_on = self._was_on or power is Power.RUNNING
            self._went_off = seen is None or (self._was_on and power is Power.STOPPED)
            if power is Power.RUNNING:
                for port in self._one.wish.ports:
                    self._try(port)
        except Transient as e:
            log.info("%s: %s (%s)", self._one.id, e.message, e.code)

    def _try(self, port: int) -> None:
        host, host_port = self._work.driver.endpoint(self._instance, port)
        answer, banner = self._probe(host, host_port)
        self._found[port] = PortFound(port=port, state=answer.value, banner=banner)
        self._network_up = self._network_up or answer is not Answer.SILENT

    def _console(self) -> str:
        try:
            return self._work.driver.console_output(self._instance)
        except SmcError as e:
            log.info("%s: no console: %s (%s)", self._one.id, e.message, e.code)
            return ""

    def _screenshot(self) -> bytes:
        try:
            return self._work.driver.screenshot(self._instance)
        except SmcError as e:
            log.info("%s: no screenshot: %s (%s)", self._one.id, e.message, e.code)
            return b""

    def _decide(self, cause: Cause | None, began: float) -> Outcome:
        code, message, hint = self._verdict(cause)
        outcome = Outcome(
            code=code,
            message=message,
            hint=hint,
            powered_on=self._was_on,
            network_up=self._network_up,
            ports=tuple(self._found.values()),
            seconds=round(self._work.clock.now() - began, 1),
        )
        self._work.store.verifications.keep(
            self._one.id,
            outcome,
            console=self._work.blobs.keep(self._console().encode()),
            screenshot=self._work.blobs.keep(self._screenshot()),
        )
        return outcome

    def _verdict(self, cause: Cause | None) -> tuple[str, str, str]:
        """Code, message and hint."""
        if self._answers:
            told = ", ".join(f"port {port.port} ({port.banner})" for port in self._found.values())
            return "", f"It is on, its network is up, and it answers: {told}.", ""
        missing = ", ".join(
            f"port {found.port} is {found.state}"
            for found in self._found.values()
            if found.state != Answer.ANSWERS.value
        )
        if cause is not None:
            return cause.code, f"{cause.message} ({missing})", cause.hint
        if self._went_off or not self._was_on:
            how = "went off by itself" if self._was_on else "did not come on"
            message = f"The instance {how} ({missing})."
            return NOT_RUNNING, message, "Look at its console and picture."
        if self._network_up:
            message = f"The system is up and its network too, but {missing}."
            hint = "Does the service start by itself? Does a firewall of the system close the port?"
            return "Verification.PortClosed", message, hint
        message = f"Nothing was heard of it: {missing}."
        hint = "Look at its console and picture. A slow machine may need a longer timeout."
        return "Verification.NoAnswer", message, hint
