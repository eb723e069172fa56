"""Keys and certificate requests made without `cryptography`, judged by it and by RFC 8032."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from smc.base.errors import UserError
from smc.wire import der, ed25519
from smc.wire.trust import Key

VECTORS = (  # RFC 8032, 7.1: tests 1, 2, 3 and SHA(abc)
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
)


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_keys_and_signatures_are_those_of_the_rfc(
    seed: str, public: str, message: str, signature: str
) -> None:
    assert ed25519.public_key(bytes.fromhex(seed)).hex() == public
    assert ed25519.sign(bytes.fromhex(seed), bytes.fromhex(message)).hex() == signature


@settings(max_examples=25, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=300))
def test_signatures_are_those_of_openssl(seed: bytes, message: bytes) -> None:
    judge = Ed25519PrivateKey.from_private_bytes(seed)
    assert ed25519.sign(seed, message) == judge.sign(message)
    assert ed25519.public_key(seed) == judge.public_key().public_bytes_raw()


def test_a_request_carries_the_name_and_a_valid_signature_of_its_key() -> None:
    key = Key.generate()
    request = x509.load_pem_x509_csr(key.request("web-1.example").encode())
    assert request.is_signature_valid
    assert request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "web-1.example"
    judge = load_pem_private_key(key.to_pem().encode(), None)
    assert isinstance(judge, Ed25519PrivateKey)
    assert request.public_key() == judge.public_key()


def test_a_very_long_host_name_is_cut_to_what_a_certificate_may_hold() -> None:
    request = x509.load_pem_x509_csr(Key.generate().request("h" * 200).encode())
    assert request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "h" * 64


def test_a_key_comes_back_from_its_file() -> None:
    key = Key.generate()
    assert Key.from_pem(key.to_pem()).seed.reveal() == key.seed.reveal()


@pytest.mark.parametrize(
    "text", ["", "rubbish", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(UserError) as e:
        Key.from_pem(text)
    assert e.value.code == "Key.Invalid"


def test_a_key_is_not_printed() -> None:
    key = Key.generate()
    assert key.seed.reveal() not in repr(key)


def test_long_contents_get_a_long_length() -> None:
    assert der.tagged(der.OCTET_STRING, b"x" * 127)[:2] == b"\x04\x7f"
    assert der.tagged(der.OCTET_STRING, b"x" * 128)[:3] == b"\x04\x81\x80"
    assert der.tagged(der.OCTET_STRING, b"x" * 300)[:4] == b"\x04\x82\x01\x2c"
    assert der.integer(128) == b"\x02\x02\x00\x80"
    assert der.object_identifier("1.2.840.113549.1.1.11").hex() == "06092a864886f70d01010b"
