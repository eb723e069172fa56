"""Trading the ticket of the user data for a credential of our own, once in the life of an instance."""

import logging
import threading

import msgspec

from smc.base.errors import Transient, UserError
from smc.receiver.home import Enrolment, Home
from smc.wire.backoff import delays
from smc.wire.control import Control
from smc.wire.orders import ReceiverEnrol, ReceiverEnrolled
from smc.wire.trust import fetch_ca

log = logging.getLogger(__name__)

PATH = "/receiver/v1/enrol"


def enrol(url: str, fingerprint: str, ticket: str, home: Home, stop: threading.Event) -> Enrolment | None:
    """What was enrolled before, or now with `ticket`; None when `stop` was set before the center answered.

    Raises `UserError` when the center is not the one of `fingerprint` or does not take the ticket.
    """
    known = home.enrolment()
    if known is not None:
        return msgspec.structs.replace(known, url=url)
    if not ticket:
        raise UserError(
            "this receiver is not enrolled and has no ticket",
            code="Ticket.Missing",
            hint="Delete the job and create it again: it gets a new intermediate instance.",
        )
    for wait in delays():
        try:
            made = _ask(url, fingerprint, ticket, home)
        except Transient as e:
            log.warning("%s; trying again in %.1f s", e.message, wait)
            if stop.wait(wait):
                return None
        else:
            home.keep_enrolment(made)
            log.info("enrolled for job %s", made.job)
            return made
    raise AssertionError("delays() has no end")


def _ask(url: str, fingerprint: str, ticket: str, home: Home) -> Enrolment:
    ca = fetch_ca(url, fingerprint)
    request = ReceiverEnrol(ticket=ticket, csr=home.make_key().request("receiver"))
    with Control(url, ca) as control:
        answer = control.post(PATH, request, ReceiverEnrolled)
    return Enrolment(url=url, ca=ca, credential=answer.credential, job=answer.job)
