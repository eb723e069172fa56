"""Asking the center over real TLS: who is trusted, what a refusal becomes, what is tried again."""

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.agent.fake_center import Authority, FakeCenter, refusal

from smc.base.errors import Broken, SmcError, Transient, UserError, WireError
from smc.wire.backoff import delays
from smc.wire.control import Control
from smc.wire.dial import default_gateway, dial, proxy_for
from smc.wire.orders import Beat, Beaten, OrdersReply, OrdersRequest
from smc.wire.trust import Key, fetch_ca, fingerprint

BEAT = "/agent/v1/beat"


def test_the_ca_is_taken_when_its_fingerprint_is_the_pinned_one(center: FakeCenter) -> None:
    pinned = center.authority.fingerprint
    for way_of_writing in (pinned, pinned.upper(), ":".join(pinned[at : at + 2] for at in range(0, 64, 2))):
        assert fingerprint(fetch_ca(center.url, way_of_writing, proxy="")) == pinned


def test_another_ca_is_refused(center: FakeCenter) -> None:
    with pytest.raises(UserError) as e:
        fetch_ca(center.url, Authority().fingerprint, proxy="")
    assert e.value.code == "Center.WrongFingerprint"


def test_a_message_gets_its_typed_answer_and_shows_the_credential(center: FakeCenter) -> None:
    with Control(center.url, center.authority.pem, "the-credential") as control:
        assert control.post(BEAT, Beat(clock=1.5), Beaten) == Beaten(clock=0.0)
    assert center.beats == [Beat(clock=1.5)]
    assert center.credentials == ["the-credential"]


def test_a_center_of_another_ca_hears_nothing(center: FakeCenter) -> None:
    with Control(center.url, Authority().pem, "the-credential") as control, pytest.raises(UserError) as e:
        control.post(BEAT, Beat(clock=1.0), Beaten)
    assert e.value.code == "Center.NotTrusted"
    assert not center.credentials


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, UserError), (400, UserError), (500, Broken), (503, Transient), (429, Transient)],
)
def test_a_refusal_is_raised_in_the_centers_words(
    center: FakeCenter, status: int, kind: type[SmcError]
) -> None:
    center.failures = [(status, refusal("Some.Code", "a sentence"))]
    with Control(center.url, center.authority.pem) as control, pytest.raises(kind) as e:
        control.post(BEAT, Beat(clock=1.0), Beaten)
    assert (e.value.code, e.value.message) == ("Some.Code", "a sentence")


def test_an_answer_that_is_no_message_of_ours_is_a_violation(center: FakeCenter) -> None:
    center.failures = [(200, b"<html>"), (404, b"<html>")]
    with Control(center.url, center.authority.pem) as control:
        with pytest.raises(WireError):
            control.post(BEAT, Beat(clock=1.0), Beaten)
        with pytest.raises(UserError, match="404"):
            control.post(BEAT, Beat(clock=1.0), Beaten)


def test_only_who_has_patience_tries_again(center: FakeCenter) -> None:
    busy = (503, refusal("Busy", "come back later"))
    with Control(center.url, center.authority.pem) as control:
        center.failures = [busy]
        with pytest.raises(Transient):
            control.post(BEAT, Beat(clock=1.0), Beaten)
        center.failures = [busy]
        assert control.post(BEAT, Beat(clock=2.0), Beaten, patience=20) == Beaten(clock=0.0)


def test_a_connection_that_the_center_closed_is_opened_again(center: FakeCenter) -> None:
    with Control(center.url, center.authority.pem) as control:
        control.post(BEAT, Beat(clock=1.0), Beaten)
        assert control._connection
        control._connection.sock.shutdown(socket.SHUT_RDWR)
        control.post(BEAT, Beat(clock=2.0), Beaten)
    assert len(center.beats) == 2


def test_a_center_that_is_not_there_is_transient() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Transient) as e:
        fetch_ca(f"https://127.0.0.1:{port}", "00", proxy="")
    assert e.value.code == "Network.Unreachable"


def test_an_address_that_is_no_https_address_is_refused() -> None:
    with pytest.raises(UserError, match="not the address"):
        Control("http://127.0.0.1:1", Authority().pem)


def test_orders_are_held_until_the_wish_changes(center: FakeCenter) -> None:
    with Control(center.url, center.authority.pem) as control:
        assert control.post("/agent/v1/orders", OrdersRequest(holding=""), OrdersReply).order is None


def test_delays_grow_to_a_limit() -> None:
    drawn = [delay for delay, _ in zip(delays(first=1.0, longest=8.0), range(10), strict=False)]
    assert 0.5 <= drawn[0] <= 1.0
    assert all(4.0 <= delay <= 8.0 for delay in drawn[3:])


ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
ens3\t00000000\t0202000A\t0003\t0\t0\t100\t00000000\t0\t0\t0
ens4\t00000000\t0103000A\t0003\t0\t0\t50\t00000000\t0\t0\t0
ens3\t0002000A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
"""


def test_the_default_gateway_is_that_of_the_best_route(tmp_path: Path) -> None:
    routes = tmp_path / "route"
    routes.write_text(ROUTES)
    assert default_gateway(routes) == "10.0.3.1"
    routes.write_text(ROUTES.splitlines()[0] + "\n")
    with pytest.raises(Transient):
        default_gateway(routes)


def test_a_proxy_of_the_environment_is_used_except_for_what_is_exempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "near.example")
    assert proxy_for("far.example") == "http://proxy.example:3128"
    assert proxy_for("near.example") == proxy_for("127.0.0.1") == proxy_for("localhost") == ""


def test_a_proxy_gets_a_connect_with_the_password_and_then_the_tunnel_is_ours() -> None:
    with (
        _proxy(lambda request: b"HTTP/1.1 200 Connection established\r\n\r\nhello") as (address, heard),
        dial("far.example", 443, proxy=f"http://user:pass%20word@{address}") as tunnel,
    ):
        assert tunnel.recv(5) == b"hello"
    assert heard[0].startswith(b"CONNECT far.example:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=\r\n" in heard[0]


def test_a_proxy_that_refuses_is_named() -> None:
    with (
        _proxy(lambda request: b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as (address, _),
        pytest.raises(Transient, match="407") as e,
    ):
        dial("far.example", 443, proxy=f"http://{address}")
    assert e.value.code == "Proxy.Refused"


def test_a_certificate_for_our_request_proves_our_key_in_a_handshake(tmp_path: Path) -> None:
    authority, key = Authority(), Key.generate()
    identity = tmp_path / "identity.pem"
    identity.write_text(authority.sign(key.request("source")) + key.to_pem())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(authority.issue_server(tmp_path))
    server.load_verify_locations(cadata=authority.pem)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(cadata=authority.pem)
    client.load_cert_chain(identity)
    here, there = socket.socketpair()
    seen: list[object] = []

    def accept() -> None:
        with server.wrap_socket(there, server_side=True) as tls:
            seen.append(tls.getpeercert())
            tls.sendall(b"done")

    thread = threading.Thread(target=accept)
    thread.start()
    with client.wrap_socket(here) as tls:
        assert tls.recv(4) == b"done"
        assert tls.version() == "TLSv1.3"
    thread.join()
    assert "source" in str(seen[0])


class _proxy:
    """A proxy that answers one CONNECT; gives its address and what it heard."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self._heard: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> tuple[str, list[bytes]]:
        self._thread.start()
        return f"127.0.0.1:{self._listener.getsockname()[1]}", self._heard

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            self._heard.append(connection.recv(65536))
            connection.sendall(self._answer(self._heard[0]))
