"""Who signed a request: the vendor's two signature schemes, verified.

Scheme A (`ACS3-HMAC-SHA256`) travels in headers, scheme B (`HMAC-SHA1`, version 1.0) in parameters.
Source: service-facts section 0, verified there against the official SDK.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from smc.base.errors import UserError

Pairs = Sequence[tuple[str, str]]

SCHEME_A = "ACS3-HMAC-SHA256"
SCHEME_B = "HMAC-SHA1"
ALLOWED_SKEW = 15 * 60.0  # seconds, as the vendor's gateway
MUST_BE_SIGNED = ("host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce")
_AUTHORIZATION = re.compile(
    rf"{SCHEME_A} +Credential=(?P<key>[^,]+)"
    r", *SignedHeaders=(?P<headers>[^,]+)"
    r", *Signature=(?P<signature>[0-9A-Fa-f]+)"
)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP request as far as signatures see it; header names in lower case, texts decoded."""

    method: str
    path: str = "/"
    query: Pairs = ()
    form: Pairs = ()
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says of itself; nothing of it is true before `verify`."""

    access_key_id: str
    action: str
    version: str
    nonce: str
    timestamp: str
    scheme: str
    text: str  # what was signed
    signature: str


def read(message: Message) -> Claim:
    """Raises `UserError` (`MissingParameter.*`, `IncompleteSignature`, `InvalidParameter.*`)."""
    if message.headers.get("authorization"):
        return _read_headers(message)
    return _read_parameters(message)


def verify(claim: Claim, secret: str, now: float) -> None:
    """Raises `UserError` `SignatureDoesNotMatch` or `IllegalTimestamp`."""
    if not hmac.compare_digest(_sign(claim, secret), claim.signature.encode()):
        raise UserError(
            "The signature of the request does not match the one computed here.",
            code="SignatureDoesNotMatch",
            hint="Check the AccessKey secret.",
        )
    if abs(_seconds(claim.timestamp) - now) > ALLOWED_SKEW:
        raise UserError(
            f"The request is dated {claim.timestamp}, more than {ALLOWED_SKEW / 60:.0f} minutes from now.",
            code="IllegalTimestamp",
            hint=f"Set the clock; here it is {datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%SZ}.",
        )


def _read_headers(message: Message) -> Claim:
    found = _AUTHORIZATION.fullmatch(message.headers["authorization"].strip())
    if not found:
        raise UserError(
            "The Authorization header cannot be read.",
            code="IncompleteSignature",
            hint=f"It has the form: {SCHEME_A} Credential=KEY,SignedHeaders=a;b,Signature=HEX",
        )
    values = {name: _header(message, name) for name in (*MUST_BE_SIGNED, "x-acs-content-sha256")}
    names = found["headers"].split(";")
    unsigned = sorted({*MUST_BE_SIGNED, "x-acs-content-sha256"} - set(names))
    if unsigned:
        raise UserError(f"These headers must be signed: {', '.join(unsigned)}.", code="IncompleteSignature")
    digest = values["x-acs-content-sha256"]
    if hashlib.sha256(message.body).hexdigest() != digest.lower():
        raise UserError("x-acs-content-sha256 is not the hash of the body.", code="SignatureDoesNotMatch")
    lines = "".join(f"{name}:{message.headers.get(name, '').strip()}\n" for name in names)
    canonical = "\n".join(
        (message.method, message.path, _canonical(message.query), lines, found["headers"], digest)
    )
    return Claim(
        access_key_id=found["key"],
        action=values["x-acs-action"],
        version=values["x-acs-version"],
        nonce=values["x-acs-signature-nonce"],
        timestamp=values["x-acs-date"],
        scheme=SCHEME_A,
        text=f"{SCHEME_A}\n{hashlib.sha256(canonical.encode()).hexdigest()}",
        signature=found["signature"].lower(),
    )


def _read_parameters(message: Message) -> Claim:
    pairs = [*message.query, *message.form]
    values = dict(pairs)
    for name in ("AccessKeyId", "Signature", "Action", "Version", "Timestamp", "SignatureNonce"):
        if not values.get(name):
            raise UserError(
                f"The parameter {name} is missing.",
                code=f"MissingParameter.{name}",
                hint="Sign the request with an AccessKey; the official SDKs do.",
            )
    for name, only in (("SignatureMethod", SCHEME_B), ("SignatureVersion", "1.0")):
        if values.get(name, only) != only:
            raise UserError(f"{name} must be {only}.", code=f"InvalidParameter.{name}")
    signed = _canonical([pair for pair in pairs if pair[0] != "Signature"])
    return Claim(
        access_key_id=values["AccessKeyId"],
        action=values["Action"],
        version=values["Version"],
        nonce=values["SignatureNonce"],
        timestamp=values["Timestamp"],
        scheme=SCHEME_B,
        text=f"{message.method}&%2F&{_escape(signed)}",
        signature=values["Signature"],
    )


def _header(message: Message, name: str) -> str:
    value = message.headers.get(name, "")
    if not value:
        raise UserError(f"The header {name} is missing.", code=f"MissingParameter.{name}")
    return value


def _sign(claim: Claim, secret: str) -> bytes:
    if claim.scheme == SCHEME_A:
        return hmac.new(secret.encode(), claim.text.encode(), hashlib.sha256).hexdigest().encode()
    digest = hmac.new(f"{secret}&".encode(), claim.text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest)


def _canonical(pairs: Pairs) -> str:
    return "&".join(f"{_escape(name)}={_escape(value)}" for name, value in sorted(pairs))


def _escape(text: str) -> str:
    return quote(text, safe="~")  # RFC 3986: letters, digits, - _ . ~ stay


def _seconds(timestamp: str) -> float:
    try:
        return datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError as e:
        raise UserError(
            f"{timestamp!r} is not a time.",
            code="InvalidTimeStamp.Format",
            hint="2026-11-22T10:00:00Z, in UTC.",
        ) from e
