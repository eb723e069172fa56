"""Where a registry sends its client on to, and where the client does not follow."""

from email.message import Message

import pytest

from smc.base.errors import Broken
from smc.base.secret import Secret
from smc.receiver.containers.registry import Registry
from smc.receiver.containers.tokens import Credentials, authorization

OURS = Credentials(user="mover", password=Secret("correct horse"))


def test_an_upload_that_leads_from_https_to_http_is_not_followed() -> None:
    with Registry("https://registry.invalid", "a/b", OURS) as registry, pytest.raises(Broken) as e:
        registry.ask("PATCH", "http://registry.invalid/v2/a/b/blobs/uploads/1", b"x", fine=(202,))
    assert e.value.code == "Registry.NotPrivate"
    assert "http://registry.invalid" in str(e.value)


def test_a_token_server_without_tls_is_not_sent_a_password() -> None:
    challenge = Message()
    challenge["WWW-Authenticate"] = 'Bearer realm="http://tokens.invalid/token",service="r"'
    with Registry("https://registry.invalid", "a/b", OURS) as registry, pytest.raises(Broken) as e:
        authorization(OURS, challenge, registry._token)
    assert e.value.code == "Registry.NotPrivate"
