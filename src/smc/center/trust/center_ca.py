"""The center's own CA, made at the first start, and the certificate its listeners show."""

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from smc.base.files import write_atomic
from smc.center.trust.certificate import key_pem, make_ca, make_leaf, pem_of

# P-256 and not Ed25519: curl and wget of ten years ago fetch the agent from this listener
CURVE = ec.SECP256R1()


@dataclass(frozen=True, slots=True)
class CenterTrust:
    """Files of DATA_DIR/pki; `fingerprint` is the SHA-256 of the CA's DER in lower-case hex."""

    ca_file: Path
    certificate_file: Path
    key_file: Path
    fingerprint: str

    @property
    def ca(self) -> str:
        return self.ca_file.read_text()


def open_trust(folder: Path, names: Iterable[str]) -> CenterTrust:
    """Make the CA if there is none, and a new server certificate for `names` (hosts and addresses)."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_file, ca_key_file = folder / "ca.pem", folder / "ca-key.pem"
    if not ca_file.exists():
        _make_ca(ca_file, ca_key_file)
    ca = x509.load_pem_x509_certificate(ca_file.read_bytes())
    ca_key = serialization.load_pem_private_key(ca_key_file.read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(CURVE)
    certificate = make_leaf(
        "smc center",
        key.public_key(),
        issuer=ca,
        issuer_key=ca_key,
        names=[_general_name(name) for name in sorted(set(names))],
    )
    files = CenterTrust(
        ca_file=ca_file,
        certificate_file=folder / "server.pem",
        key_file=folder / "server-key.pem",
        fingerprint=ca.fingerprint(hashes.SHA256()).hex(),
    )
    write_atomic(files.key_file, key_pem(key).encode(), mode=0o600)
    write_atomic(files.certificate_file, pem_of(certificate).encode())
    return files


def _make_ca(file: Path, key_file: Path) -> None:
    """The key first: a certificate is there only when its key is."""
    key = ec.generate_private_key(CURVE)
    write_atomic(key_file, key_pem(key).encode(), mode=0o600)
    write_atomic(file, pem_of(make_ca(f"smc center {os.urandom(4).hex()}", key)).encode())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
