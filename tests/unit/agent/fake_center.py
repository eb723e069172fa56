"""A center for tests: real TLS on a loopback port, a CA of its own, the agent's four requests."""

import datetime
import hashlib
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from smc.wire.orders import (
    AGENT_PATH,
    CA_PATH,
    Accepted,
    Beat,
    Beaten,
    Enrol,
    Enrolled,
    Event,
    Events,
    Order,
    OrdersReply,
    OrdersRequest,
    Refusal,
    RunLogs,
)

LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
LATER = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)


class Authority:
    """A CA that issues server certificates and signs requests."""

    def __init__(self, name: str = "test center CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            self._start(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def sign(self, request: str) -> str:
        csr = x509.load_pem_x509_csr(request.encode())
        issued = self._start(csr.subject, csr.public_key()).sign(self._key, hashes.SHA256())
        return issued.public_bytes(serialization.Encoding.PEM).decode()

    def issue_server(self, folder: Path) -> Path:
        """Certificate and key in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "center")])
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        issued = (
            self._start(name, key.public_key()).add_extension(names, False).sign(self._key, hashes.SHA256())
        )
        path = folder / "server.pem"
        path.write_bytes(
            issued.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return path

    def _start(self, subject: x509.Name, public: Any) -> x509.CertificateBuilder:  # any kind of public key
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(LONG_AGO)
            .not_valid_after(LATER)
        )


class FakeCenter:
    """What it was asked is in its lists; what it answers is in its attributes."""

    def __init__(self) -> None:
        self.authority = Authority()
        self.url = ""
        self.changed = threading.Condition()
        self.codes = {"at-1": "right-code"}
        self.sources: dict[str, str] = {}  # fingerprint of the machine -> source
        self.enrolments: list[Enrol] = []
        self.beats: list[Beat] = []
        self.asked: list[OrdersRequest] = []
        self.events: list[Event] = []
        self.logs: list[RunLogs] = []
        self.credentials: list[str] = []
        self.order: Order | None = None
        self.agent_file = b""
        self.forged_file = b""  # given in its place
        self.failures: list[tuple[int, bytes]] = []  # answered first, one a request

    def answer(self, path: str, body: bytes, credential: str) -> tuple[int, bytes]:
        with self.changed:
            if self.failures:
                return self.failures.pop(0)
            self.credentials.append(credential)
            reply = self._routes()[path](body)
            self.changed.notify_all()
        status = 403 if isinstance(reply, Refusal) else 200
        return status, msgspec.json.encode(reply)

    def wait(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, seconds), "the agent did not ask in time"

    def set_order(self, order: Order | None) -> None:
        with self.changed:
            self.order = order
            self.changed.notify_all()

    def _routes(self) -> dict[str, Callable[[bytes], msgspec.Struct]]:
        return {
            "/agent/v1/enrol": self._enrol,
            "/agent/v1/beat": self._beat,
            "/agent/v1/orders": self._orders,
            "/agent/v1/events": self._events,
            "/agent/v1/logs": self._logs,
        }

    def _logs(self, body: bytes) -> msgspec.Struct:
        self.logs.append(msgspec.json.decode(body, type=RunLogs))
        return Accepted()

    def _enrol(self, body: bytes) -> msgspec.Struct:
        enrol = msgspec.json.decode(body, type=Enrol)
        if self.codes.get(enrol.token_id) != enrol.token_code:
            return Refusal(
                code="AccessToken.Invalid",
                message="the activation code is wrong",
                hint="Copy the import command again.",
            )
        self.enrolments.append(enrol)
        source = self.sources.setdefault(enrol.server.fingerprint, f"s-{len(self.sources) + 1}")
        return Enrolled(source_id=source, credential=f"secret-of-{source}", heartbeat_seconds=1)

    def _beat(self, body: bytes) -> msgspec.Struct:
        self.beats.append(msgspec.json.decode(body, type=Beat))
        return Beaten(clock=0.0)

    def _orders(self, body: bytes) -> msgspec.Struct:
        request = msgspec.json.decode(body, type=OrdersRequest)
        self.asked.append(request)
        self.changed.notify_all()
        self.changed.wait_for(lambda: (self.order.run if self.order else "") != request.holding, 0.2)
        return OrdersReply(order=self.order)

    def _events(self, body: bytes) -> msgspec.Struct:
        self.events.extend(msgspec.json.decode(body, type=Events).events)
        return Accepted()


@contextmanager
def serving(folder: Path, center: FakeCenter | None = None) -> Iterator[FakeCenter]:
    """A center that answers until the end of the block; `folder` holds its certificate."""
    center = center or FakeCenter()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(center.authority.issue_server(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(center))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    center.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield center
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(center: FakeCenter) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            agent_path = f"{AGENT_PATH}/{hashlib.sha256(center.agent_file).hexdigest()}"
            given = center.forged_file or center.agent_file
            files = {CA_PATH: center.authority.pem.encode(), agent_path: given}
            self._send(200 if self.path in files else 404, files.get(self.path, b""))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            credential = self.headers.get("Authorization", "").removeprefix("Bearer ")
            self._send(*center.answer(self.path, body, credential))

        def _send(self, status: int, body: bytes) -> None:
            with suppress(OSError):  # who asked is gone
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # the name is http.server's
            pass

    return Handler


def refusal(code: str, message: str) -> bytes:
    return json.dumps({"code": code, "message": message}).encode()
