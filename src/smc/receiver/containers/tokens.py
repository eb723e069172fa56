"""How a registry is told who pushes: Basic, or a token of its authorization server (distribution-spec)."""

import base64
import json
import re
from collections.abc import Callable
from email.message import Message
from urllib.parse import urlencode

import msgspec

from smc.base.errors import Broken
from smc.base.secret import Secret

FIELD = re.compile(r'(\w+)="([^"]*)"')


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """`token` is a bearer token that is good as it is; else `user` and `password`."""

    user: str = ""
    password: Secret = Secret("")
    token: Secret = Secret("")

    def first(self) -> str:
        """What the first request shows: a password is kept until the registry asks for it."""
        token = self.token.reveal()
        return f"Bearer {token}" if token else ""

    def basic(self) -> str:
        pair = f"{self.user}:{self.password.reveal()}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}" if self.user else ""


def authorization(credentials: Credentials, headers: Message, fetch: Callable[[str, str], bytes]) -> str:
    """The header that answers `WWW-Authenticate`. `fetch` gets a URL with a Basic header, "" for none."""
    challenge = headers.get("WWW-Authenticate", "")
    scheme, _, rest = challenge.partition(" ")
    if scheme.lower() == "basic":
        return credentials.basic()
    if scheme.lower() != "bearer":
        raise Broken(
            f"the registry wants {scheme or 'nothing known'} as credentials", code="Registry.NoSense"
        )
    fields = dict(FIELD.findall(rest))
    realm = fields.pop("realm", "")
    query = urlencode({name: fields[name] for name in ("service", "scope") if name in fields})
    try:
        answer = json.loads(fetch(f"{realm}?{query}", credentials.basic()))
        token = answer.get("token") or answer["access_token"]
    except (ValueError, KeyError, AttributeError) as e:
        raise Broken("the registry's authorization server gave no token", code="Registry.NoSense") from e
    return f"Bearer {token}"
