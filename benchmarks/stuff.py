"""Bytes to fill files with: text, programs and noise, the same for the same seed."""

import random
from functools import cache

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from smc.base.units import KIB, MIB

POOL = 16 * MIB  # of which files are pieces; larger than zstd's window at any level that we use
WORDS = 6000
GRAIN = 8  # bytes of what repeats in a program


@cache
def text() -> bytes:
    """Compresses about 2.5 : 1 with zstd's level 1, as sources and documents do (2 to 4)."""
    chance = random.Random("text")
    vocabulary = [
        bytes(chance.choices(b"etaoinshrdlucmfwypvbgk", k=chance.randint(2, 10))) for _ in range(WORDS)
    ]
    weights = [1 / (rank + 8) for rank in range(WORDS)]
    words = chance.choices(vocabulary, weights, k=POOL // 4)
    lines = (b" ".join(words[at : at + 9]) for at in range(0, len(words), 9))
    return b"\n".join(lines)[:POOL]


@cache
def program() -> bytes:
    """Compresses about 2 : 1 with zstd's level 1, as machine code does (2 to 3)."""
    chance = random.Random("program")
    patterns = [chance.randbytes(GRAIN) for _ in range(2000)]
    weights = [1 / (rank + 4) for rank in range(len(patterns))]
    grains = chance.choices(patterns, weights, k=POOL // GRAIN)
    for at in range(0, len(grains), 5):
        grains[at] = chance.randbytes(GRAIN)
    return b"".join(grains)


def noise(seed: str, size: int) -> bytes:
    """Does not compress."""
    key = random.Random(seed).randbytes(32)
    cipher = Cipher(algorithms.AES(key), modes.CTR(bytes(16)))
    return cipher.encryptor().update(bytes(size))


def piece(chance: random.Random, size: int, *, readable: float) -> bytes:
    """`size` bytes of text, with probability `readable`, or else of a program."""
    pool = text() if chance.random() < readable else program()
    start = chance.randrange(len(pool) - min(size, len(pool) - KIB))
    found = pool[start : start + size]
    while len(found) < size:
        found += pool[: size - len(found)]
    return found
