"""The CA of one run, and the two certificates it signs: for the agent and for the receiver."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from smc.base.errors import UserError
from smc.base.secret import Secret
from smc.center.trust.certificate import key_pem, make_ca, make_leaf, pem_of

AGENT, RECEIVER = "agent", "receiver"  # common names; each end accepts only the other's
LARGEST_CSR = 8192  # characters; an Ed25519 one has about 400


@dataclass(frozen=True, slots=True)
class Authority:
    """A self-signed CA; its certificate as PEM and its key as PEM."""

    certificate: str
    key: Secret


def new_authority() -> Authority:
    """A CA on its own: what it signs is worth nothing to who trusts the center's CA."""
    key = Ed25519PrivateKey.generate()
    return Authority(pem_of(make_ca("smc run", key)), Secret(key_pem(key)))


def issue(authority: Authority, csr: str, common_name: str) -> str:
    """A certificate (PEM) for the key of `csr`; only the key is taken from it.

    Raises `UserError` (`Csr.Invalid`).
    """
    public = read_csr(csr)
    key = serialization.load_pem_private_key(authority.key.reveal().encode(), None)
    assert isinstance(key, Ed25519PrivateKey)
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    names = [x509.DNSName(common_name)]
    return pem_of(make_leaf(common_name, public, issuer=issuer, issuer_key=key, names=names))


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
        why = str(e).strip() or "its signature is wrong"
        raise UserError(f"The certificate request is not valid: {why}.", code="Csr.Invalid") from e
    return public
