"""A run's CA and the identities of its two ends, as the center makes them."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

FROM, UNTIL = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def issue(*names: str) -> dict[str, dict[str, str]]:
    """By common name: `ca`, `certificate` and `key`, all PEM, of one new CA."""
    root = Ed25519PrivateKey.generate()
    ca = _builder("a benchmark", "a benchmark", root)
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca_pem = ca.sign(root, None).public_bytes(Encoding.PEM).decode()
    found = {}
    for name in names:
        key = Ed25519PrivateKey.generate()
        certificate = _builder(name, "a benchmark", key).sign(root, None)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem = certificate.public_bytes(Encoding.PEM)
        found[name] = {"ca": ca_pem, "certificate": pem.decode(), "key": private.decode()}
    return found


def _builder(subject: str, issuer: str, key: Ed25519PrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(UNTIL)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
