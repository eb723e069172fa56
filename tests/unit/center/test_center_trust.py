"""Certificates of the center and of runs, judged by TLS itself."""

import ipaddress
import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from smc.base.errors import UserError
from smc.center.trust.center_ca import open_trust
from smc.center.trust.run_ca import AGENT, RECEIVER, Authority, issue, new_authority
from smc.center.trust.tickets import Tickets
from smc.wire.trust import Key, fingerprint


def test_the_ca_stays_and_the_server_certificate_follows_the_names(tmp_path: Path) -> None:
    first = open_trust(tmp_path / "pki", ["localhost"])
    second = open_trust(tmp_path / "pki", ["localhost", "center.example", "192.0.2.1", "::1"])
    assert first.fingerprint == second.fingerprint == fingerprint(second.ca)
    ca = x509.load_pem_x509_certificate(second.ca.encode())
    server = x509.load_pem_x509_certificate(second.certificate_file.read_bytes())
    server.verify_directly_issued_by(ca)
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"localhost", "center.example"}
    assert ipaddress.ip_address("192.0.2.1") in names.get_values_for_type(x509.IPAddress)
    for file in (second.key_file, tmp_path / "pki" / "ca-key.pem"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_agent_and_receiver_of_a_run_trust_each_other_over_tls(tmp_path: Path) -> None:
    authority = new_authority()
    subjects = handshake(tmp_path, authority, authority)
    assert subjects == ((("commonName", AGENT),), (("commonName", RECEIVER),))


def test_the_certificate_of_another_run_opens_no_door(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError):
        handshake(tmp_path, new_authority(), new_authority())


def test_a_run_is_not_vouched_for_by_the_center(tmp_path: Path) -> None:
    trust = open_trust(tmp_path / "pki", ["localhost"])
    run = x509.load_pem_x509_certificate(new_authority().certificate.encode())
    assert run.issuer == run.subject
    assert run.fingerprint(hashes.SHA256()).hex() != trust.fingerprint


def test_only_the_key_of_a_request_is_taken() -> None:
    certificate = issue(new_authority(), Key.generate().request("root"), AGENT)
    assert x509.load_pem_x509_certificate(certificate.encode()).subject.rfc4514_string() == "CN=agent"


def foreign_request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "agent")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def tampered_request() -> str:
    lines = Key.generate().request("agent").splitlines()
    other = Key.generate().request("agent").splitlines()
    return "\n".join([*lines[:-2], other[-2], lines[-1]])


@pytest.mark.parametrize(
    "request_text",
    ["", "nonsense", "x" * 10_000, foreign_request(), tampered_request()],
    ids=["empty", "no PEM", "too long", "another kind of key", "wrong signature"],
)
def test_a_request_that_is_not_valid_is_refused(request_text: str) -> None:
    with pytest.raises(UserError) as refused:
        issue(new_authority(), request_text, AGENT)
    assert refused.value.code == "Csr.Invalid"


def test_a_ticket_is_the_same_for_the_same_attempt_and_for_no_other(tmp_path: Path) -> None:
    tickets = Tickets(tmp_path)
    first = tickets.ticket("j-1.1").reveal()
    assert Tickets(tmp_path).ticket("j-1.1").reveal() == first
    others = {tickets.ticket("j-1.2").reveal(), tickets.ticket("j-1.1", 2).reveal()}
    assert first not in others
    assert len(others) == 2
    assert stat.S_IMODE((tmp_path / "ticket-key").stat().st_mode) == 0o600


def handshake(folder: Path, agents: Authority, receivers: Authority) -> tuple[object, object]:
    """The subjects that receiver and agent saw of each other; raises when one refuses."""
    server = context(folder, ssl.PROTOCOL_TLS_SERVER, receivers, RECEIVER)
    server.verify_mode = ssl.CERT_REQUIRED
    client = context(folder, ssl.PROTOCOL_TLS_CLIENT, agents, AGENT)
    seen: list[object] = []
    ours, theirs = socket.socketpair()

    def accept() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as tls:
                seen.append((tls.getpeercert() or {})["subject"][0])
                tls.sendall(b"x")
        except OSError:
            theirs.close()

    receiver = threading.Thread(target=accept)
    receiver.start()
    ours.settimeout(10)
    try:
        with client.wrap_socket(ours, server_hostname=RECEIVER) as tls:
            assert tls.version() == "TLSv1.3"
            tls.recv(1)
            return seen[0], (tls.getpeercert() or {})["subject"][0]
    finally:
        ours.close()
        receiver.join(10)


def context(folder: Path, protocol: int, authority: Authority, name: str) -> ssl.SSLContext:
    key = Key.generate()
    file = folder / f"{name}.pem"
    file.write_text(issue(authority, key.request(name), name) + key.to_pem())
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 does by itself
    context.load_verify_locations(cadata=authority.certificate)
    context.load_cert_chain(file)
    return context
