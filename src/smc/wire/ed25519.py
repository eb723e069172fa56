"""Ed25519 keys and signatures (RFC 8032) in plain Python, because the agent carries no `cryptography`.

Not constant-time: a key signs one certificate request, on the machine that keeps the key. All later
signatures are made by OpenSSL in the TLS handshake.
"""

import hashlib

SEED_SIZE = 32
PUBLIC_SIZE = 32
SIGNATURE_SIZE = 64

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P

Point = tuple[int, int, int, int]  # extended homogeneous coordinates X, Y, Z, T (RFC 8032, 5.1.4)

NEUTRAL: Point = (0, 1, 1, 0)
BASE_Y = 4 * pow(5, -1, P) % P
BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
BASE: Point = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def public_key(seed: bytes) -> bytes:
    """The public key of the private key that `seed` (32 random bytes) stands for."""
    scalar, _ = _expand(seed)
    return _compress(_multiply(scalar, BASE))


def sign(seed: bytes, message: bytes) -> bytes:
    """RFC 8032, 5.1.6."""
    scalar, prefix = _expand(seed)
    public = _compress(_multiply(scalar, BASE))
    nonce = _hash_to_scalar(prefix + message)
    commitment = _compress(_multiply(nonce, BASE))
    challenge = _hash_to_scalar(commitment + public + message)
    return commitment + ((nonce + challenge * scalar) % ORDER).to_bytes(32, "little")


def _expand(seed: bytes) -> tuple[int, bytes]:
    if len(seed) != SEED_SIZE:
        raise ValueError(f"an Ed25519 seed has {SEED_SIZE} bytes")
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little")
    scalar &= (1 << 254) - 8
    scalar |= 1 << 254
    return scalar, digest[32:]


def _hash_to_scalar(data: bytes) -> int:
    return int.from_bytes(hashlib.sha512(data).digest(), "little") % ORDER


def _add(left: Point, right: Point) -> Point:
    x1, y1, z1, t1 = left
    x2, y2, z2, t2 = right
    a = (y1 - x1) * (y2 - x2) % P
    b = (y1 + x1) * (y2 + x2) % P
    c = 2 * t1 * t2 * D % P
    d = 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _multiply(scalar: int, point: Point) -> Point:
    product = NEUTRAL
    while scalar:
        if scalar & 1:
            product = _add(product, point)
        point = _add(point, point)
        scalar >>= 1
    return product


def _compress(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")
