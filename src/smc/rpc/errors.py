"""Errors as the vendor's clients read them: HTTP status, code, message, and what to do (`Recommend`)."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from smc.base.errors import SmcError, Transient, UserError

log = logging.getLogger(__name__)

STATUS: Mapping[str, int] = {  # codes of the gateway; a service adds its own
    "InvalidAccessKeyId.NotFound": HTTPStatus.NOT_FOUND,
    "InvalidAccessKeyId.Inactive": HTTPStatus.FORBIDDEN,
    "InvalidAction.NotFound": HTTPStatus.NOT_FOUND,
    "Forbidden.RAM": HTTPStatus.FORBIDDEN,
    "Forbidden.Unauthorized": HTTPStatus.FORBIDDEN,
    "RequestTimeout": HTTPStatus.REQUEST_TIMEOUT,
    "RequestTooLarge": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}


def answer(
    error: Exception, *, request_id: str, host: str, statuses: Mapping[str, int]
) -> tuple[int, dict[str, str]]:
    """Status and body; what is not the caller's doing is logged in full and shown without detail."""
    match error:
        case UserError():
            status = statuses.get(error.code, STATUS.get(error.code, int(HTTPStatus.BAD_REQUEST)))
        case Transient():
            status = statuses.get(error.code, int(HTTPStatus.SERVICE_UNAVAILABLE))
        case _:
            log.error("request %s failed", request_id, exc_info=error)
            status = int(HTTPStatus.INTERNAL_SERVER_ERROR)
            error = SmcError(
                "The request failed inside the service.",
                code="InternalError",
                hint=f"The service's log has the cause under request {request_id}.",
            )
    return int(status), {
        "RequestId": request_id,
        "HostId": host,
        "Code": error.code,
        "Message": error.message,
        "Recommend": error.hint,
    }
