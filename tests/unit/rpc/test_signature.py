"""The parts of signing that the SDK cannot be made to do wrong."""

import hashlib
import hmac
from typing import Any

import pytest

from smc.base.errors import Transient, UserError
from smc.rpc.nonces import KEPT_SECONDS, Nonces
from smc.rpc.signature import SCHEME_A, Message, read, verify

EMPTY = hashlib.sha256(b"").hexdigest()
NOW = 1795341600.0  # 2026-11-22T10:00:00Z
HEADERS = {
    "host": "h",
    "x-acs-action": "A",
    "x-acs-version": "1",
    "x-acs-date": "2026-11-22T10:00:00Z",
    "x-acs-signature-nonce": "n",
    "x-acs-content-sha256": EMPTY,
}


def signed(headers: dict[str, str], **more: Any) -> Message:  # Any: fields of Message
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"POST\n/\nRegionId=cn%201\n{lines}\n{names}\n{EMPTY}"
    text = f"{SCHEME_A}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(b"s", text.encode(), hashlib.sha256).hexdigest()
    authorization = f"{SCHEME_A} Credential=AK,SignedHeaders={names},Signature={signature}"
    values = {"method": "POST", "query": [("RegionId", "cn 1")]} | more
    return Message(headers=headers | {"authorization": authorization}, **values)


def code(message: Message) -> str:
    with pytest.raises(UserError) as caught:
        verify(read(message), "s", NOW)
    return caught.value.code


def test_a_request_signed_by_hand_is_accepted() -> None:
    claim = read(signed(HEADERS))
    verify(claim, "s", NOW)
    assert (claim.access_key_id, claim.action, claim.version, claim.nonce) == ("AK", "A", "1", "n")


@pytest.mark.parametrize("name", ["host", "x-acs-action", "x-acs-date", "x-acs-signature-nonce"])
def test_what_decides_must_be_signed(name: str) -> None:
    message = signed({key: value for key, value in HEADERS.items() if key != name})
    changed = Message(method="POST", query=message.query, headers={**message.headers, name: HEADERS[name]})
    assert code(changed) == "IncompleteSignature"


def test_another_query_is_noticed() -> None:
    assert code(signed(HEADERS, query=[("RegionId", "cn 2")])) == "SignatureDoesNotMatch"


def test_another_body_is_noticed() -> None:
    assert code(signed(HEADERS, body=b"x")) == "SignatureDoesNotMatch"


@pytest.mark.parametrize("text", ["Basic abc", f"{SCHEME_A} Credential=AK", f"{SCHEME_A} é"])
def test_an_unreadable_authorization_is_refused(text: str) -> None:
    assert code(Message(method="POST", headers={"authorization": text})) == "IncompleteSignature"


def test_a_timestamp_must_be_a_time() -> None:
    assert code(signed(HEADERS | {"x-acs-date": "yesterday"})) == "InvalidTimeStamp.Format"


def test_a_nonce_is_used_once_by_each_key() -> None:
    nonces = Nonces()
    nonces.use("AK", "n", NOW)
    nonces.use("AK2", "n", NOW)
    with pytest.raises(UserError) as caught:
        nonces.use("AK", "n", NOW + KEPT_SECONDS)
    assert caught.value.code == "SignatureNonceUsed"
    nonces.use("AK", "n", NOW + KEPT_SECONDS + 1)


def test_the_memory_of_nonces_is_bounded_and_never_forgets_early() -> None:
    nonces = Nonces(most=2)
    nonces.use("AK", "1", NOW)
    nonces.use("AK", "2", NOW)
    with pytest.raises(Transient):
        nonces.use("AK", "3", NOW)
    nonces.use("AK", "3", NOW + KEPT_SECONDS + 1)
