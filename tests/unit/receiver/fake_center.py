"""A center for receivers: real TLS on a loopback port, one job, a task that a test sets."""

from collections.abc import Callable

import msgspec
from tests.unit.agent.fake_center import Authority, FakeCenter

from smc.base.errors import SmcError, UserError
from smc.model.plan import Plan
from smc.model.progress import Phase, Progress
from smc.model.report import Report
from smc.wire.orders import (
    Accepted,
    ContainerTarget,
    ReceiverEnrol,
    ReceiverEnrolled,
    ReceiverReport,
    Refusal,
    Task,
    TaskKind,
)
from smc.wire.tls import Identity
from smc.wire.trust import Key

TICKET = "ticket-1"
REST = Task(kind=TaskKind.REST)


class ReceiverCenter(FakeCenter):
    """`said` is every progress it was told, `reports` every report."""

    def __init__(self) -> None:
        super().__init__()
        self.run_ca = Authority("run CA")
        self.task = REST
        self.csr = ""
        self.said: list[Progress] = []
        self.reports: list[Report] = []
        self.report_error: SmcError | None = None

    def give(
        self, kind: TaskKind, run: str, plan: Plan, port: int, container: ContainerTarget | None = None
    ) -> None:
        """Needs the receiver's certificate request: it must have enrolled."""
        self.wait(lambda: bool(self.csr))
        with self.changed:
            self.task = Task(
                kind=kind,
                run=run,
                plan=plan,
                port=port,
                ca=self.run_ca.pem,
                certificate=self.run_ca.sign(self.csr),
                container=container,
            )

    def await_phase(self, phase: Phase, run: str, seconds: float = 60.0) -> Progress:
        self.await_progress(lambda said: said.phase is phase and said.run == run, seconds)
        return self.said[-1]

    def await_progress(self, condition: Callable[[Progress], bool], seconds: float = 60.0) -> Progress:
        with self.changed:
            begun = len(self.said)
            found = self.changed.wait_for(lambda: any(map(condition, self.said[begun:])), seconds)
            assert found, f"not within {seconds:g} s; the last was {self.said[-1:]}"
            return next(said for said in self.said[begun:] if condition(said))

    def agent(self) -> Identity:
        key = Key.generate()
        certificate = self.run_ca.sign(key.request("agent"))
        return Identity(ca=self.run_ca.pem, certificate=certificate, key=key.to_pem())

    def _routes(self) -> dict[str, Callable[[bytes], msgspec.Struct]]:
        return {
            "/receiver/v1/enrol": self._enrol_receiver,
            "/receiver/v1/progress": self._progress,
            "/receiver/v1/report": self._report,
            "/receiver/v1/logs": self._logs,
        }

    def _enrol_receiver(self, body: bytes) -> msgspec.Struct:
        asked = msgspec.json.decode(body, type=ReceiverEnrol)
        if asked.ticket != TICKET:
            return Refusal(code="Ticket.Invalid", message="the ticket is not known", hint="Create a new job.")
        if self.csr not in ("", asked.csr):
            return Refusal(code="Ticket.Used", message="the ticket was used", hint="Create a new job.")
        self.csr = asked.csr
        return ReceiverEnrolled(credential="receiver-secret", job="j-1")

    def _progress(self, body: bytes) -> msgspec.Struct:
        self.said.append(msgspec.json.decode(body, type=Progress))
        return self.task

    def _report(self, body: bytes) -> msgspec.Struct:
        if isinstance(self.report_error, UserError):
            error = self.report_error
            return Refusal(code=error.code, message=error.message, hint=error.hint)
        self.reports.append(msgspec.json.decode(body, type=ReceiverReport).report)
        return Accepted()
