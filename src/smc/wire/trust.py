"""Who is trusted: our own key and certificate request, and the center's CA by its fingerprint."""

import base64
import hashlib
import http.client
import os
import ssl
from dataclasses import dataclass

from smc.base.errors import Transient, UserError
from smc.base.secret import Secret
from smc.wire import ed25519
from smc.wire.der import (
    BIT_STRING,
    CONTEXT_0,
    OCTET_STRING,
    SEQUENCE,
    SET,
    UTF8_STRING,
    integer,
    object_identifier,
    pem,
    tagged,
)
from smc.wire.dial import CONNECT_SECONDS, dial, parse_address
from smc.wire.orders import CA_PATH

ALGORITHM = tagged(SEQUENCE, object_identifier("1.3.101.112"))  # id-Ed25519, no parameters (RFC 8410, 3)
COMMON_NAME = object_identifier("2.5.4.3")
LONGEST_COMMON_NAME = 64  # ub-common-name, RFC 5280 appendix A
PRIVATE_KEY_HEAD = bytes.fromhex("302e020100300506032b657004220420")  # all of a PKCS#8 v1 key but the seed
LARGEST_CA = 64 * 1024  # bytes of a PEM


@dataclass(frozen=True, slots=True)
class Key:
    """An Ed25519 key of this program."""

    seed: Secret

    @classmethod
    def generate(cls) -> "Key":
        return cls(Secret(os.urandom(ed25519.SEED_SIZE).hex()))

    @classmethod
    def from_pem(cls, text: str) -> "Key":
        """Reads back what `to_pem` gave. Raises `UserError` (`Key.Invalid`) for anything else."""
        der = _decode_pem(text, "PRIVATE KEY")
        if not der.startswith(PRIVATE_KEY_HEAD) or len(der) != len(PRIVATE_KEY_HEAD) + ed25519.SEED_SIZE:
            raise UserError("not an Ed25519 private key", code="Key.Invalid")
        return cls(Secret(der[len(PRIVATE_KEY_HEAD) :].hex()))

    def to_pem(self) -> str:
        """PKCS#8 (RFC 8410, 7), unencrypted: store it with mode 0600."""
        secret = tagged(OCTET_STRING, tagged(OCTET_STRING, self._bytes()))
        return pem("PRIVATE KEY", tagged(SEQUENCE, integer(0), ALGORITHM, secret))

    def request(self, common_name: str) -> str:
        """A PKCS#10 certificate request (RFC 2986) as PEM."""
        name = tagged(UTF8_STRING, common_name[:LONGEST_COMMON_NAME].encode())
        subject = tagged(SEQUENCE, tagged(SET, tagged(SEQUENCE, COMMON_NAME, name)))
        public = _bit_string(ed25519.public_key(self._bytes()))
        info = tagged(SEQUENCE, integer(0), subject, tagged(SEQUENCE, ALGORITHM, public), tagged(CONTEXT_0))
        signature = _bit_string(ed25519.sign(self._bytes(), info))
        return pem("CERTIFICATE REQUEST", tagged(SEQUENCE, info, ALGORITHM, signature))

    def _bytes(self) -> bytes:
        return bytes.fromhex(self.seed.reveal())


def fingerprint(certificate: str) -> str:
    """SHA-256 of the certificate's DER, lower-case hex. Raises `UserError` when it is no PEM certificate."""
    return hashlib.sha256(_decode_pem(certificate, "CERTIFICATE")).hexdigest()


def fetch_ca(url: str, pinned: str, *, proxy: str | None = None) -> str:
    """The center's CA as PEM, taken over TLS that nobody vouches for and accepted by its SHA-256 alone.

    `pinned` is hex, with or without colons. Raises `UserError` (`Center.WrongFingerprint`) when it does
    not match, `Transient` when the center cannot be reached.
    """
    certificate = _download_unverified(url, CA_PATH, proxy)
    try:
        found = fingerprint(certificate)
    except UserError as e:
        raise UserError(
            f"{url} does not offer a certificate authority: it is not a migration center",
            code="Center.NotACenter",
            hint="Check the address in the import command.",
        ) from e
    if found != pinned.replace(":", "").strip().lower():
        raise UserError(
            f"the center at {url} is not the one of the import command: its fingerprint is {found}",
            code="Center.WrongFingerprint",
            hint="Make a new import command at the center and run that one.",
        )
    return certificate


def pinned_context(ca: str) -> ssl.SSLContext:
    """For connections to the center: its certificate must come from `ca`, whatever name it was reached by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.load_verify_locations(cadata=ca)
    return context


def _bit_string(data: bytes) -> bytes:
    return tagged(BIT_STRING, b"\0", data)  # no unused bits


def _decode_pem(text: str, label: str) -> bytes:
    head, tail = f"-----BEGIN {label}-----", f"-----END {label}-----"
    body = text.strip()
    if not body.startswith(head) or not body.endswith(tail) or body.count("-----BEGIN") != 1:
        raise UserError(f"not one PEM block of a {label.lower()}", code="Key.Invalid")
    try:
        return base64.b64decode("".join(body[len(head) : -len(tail)].split()), validate=True)
    except ValueError as e:
        raise UserError(f"not the base64 of a {label.lower()}", code="Key.Invalid") from e


def _download_unverified(url: str, path: str, proxy: str | None) -> str:
    host, port = parse_address(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # what comes is compared with the pinned hash
    with dial(host, port, proxy=proxy) as plain:
        plain.settimeout(CONNECT_SECONDS)
        try:
            with context.wrap_socket(plain) as tls:
                connection = http.client.HTTPConnection(host, port)
                connection.sock = tls
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read(LARGEST_CA)
        except (OSError, http.client.HTTPException) as e:
            raise Transient(f"{url} gave no answer: {e}", code="Network.Unreachable") from e
    return body.decode("ascii", "replace") if answer.status == 200 else ""
