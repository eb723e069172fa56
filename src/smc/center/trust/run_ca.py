"""The CA of one run, and the two certificates it signs: for the agent and for the receiver."""

import datetime
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from smc.base.errors import UserError
from smc.base.secret import Secret

AGENT, RECEIVER = "agent", "receiver"  # common names; each end accepts only the other's
NOT_BEFORE = datetime.datetime(2015, 1, 1, tzinfo=datetime.UTC)  # a source whose clock is years behind works
NOT_AFTER = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)  # the run's end is what ends it: its key goes
LARGEST_CSR = 8192  # characters; an Ed25519 one has about 400


@dataclass(frozen=True, slots=True)
class Authority:
    """A self-signed CA; its certificate as PEM and its key as PEM."""

    certificate: str
    key: Secret


def new_authority() -> Authority:
    """A CA on its own: what it signs is worth nothing to who trusts the center's CA."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "smc run")])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, None)
    )
    return Authority(pem_of(certificate), Secret(key_pem(key)))


def issue(authority: Authority, csr: str, common_name: str) -> str:
    """A certificate (PEM) for the key of `csr`; only the key is taken from it.

    Raises `UserError` (`Csr.Invalid`).
    """
    public = read_csr(csr)
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    key = serialization.load_pem_private_key(authority.key.reveal().encode(), None)
    assert isinstance(key, Ed25519PrivateKey)
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    certificate = (
        _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]), issuer.subject, public)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(common_name)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, None)
    )
    return pem_of(certificate)


def read_csr(csr: str) -> Ed25519PublicKey:
    """The key of a certificate request that its holder signed. Raises `UserError` (`Csr.Invalid`)."""
    try:
        if len(csr) > LARGEST_CSR:
            raise ValueError("it is too long")
        request = x509.load_pem_x509_csr(csr.encode())
        public = request.public_key()
        if not isinstance(public, Ed25519PublicKey):
            raise ValueError("its key is not of type Ed25519")
        public.verify(request.signature, request.tbs_certrequest_bytes)
    except (ValueError, InvalidSignature) as e:
        why = str(e) or "its signature is wrong"
        raise UserError(f"The certificate request is not valid: {why}.", code="Csr.Invalid") from e
    return public


def pem_of(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: Ed25519PrivateKey) -> str:
    """PKCS#8, unencrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _builder(subject: x509.Name, issuer: x509.Name, public: Ed25519PublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
    )
