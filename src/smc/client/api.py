"""The client of the center's RPC API: any action by name, over the vendor's own OpenAPI client.

The public actions and ours go the same way, so that whatever the CLI and console do, the official SDK can.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_tea_util.models import RuntimeOptions
from darabonba.exceptions import DaraException, UnretryableException
from requests.exceptions import RequestException

from smc.base.errors import Broken, SmcError, Transient, UserError
from smc.base.secret import Secret

VERSION = "2019-06-01"
CONNECT_MILLISECONDS = 5_000
READ_MILLISECONDS = 60_000

Json = dict[str, Any]  # Any: JSON as the API answers it, parsed by the views that read it


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Where the center is and who asks: the shape of DATA_DIR/admin-key.json."""

    endpoint: str  # http://127.0.0.1:8700
    access_key_id: str
    access_key_secret: str
    ca_file: str = ""  # for HTTPS with the center's own CA

    def __repr__(self) -> str:
        return f"Login({self.endpoint}, {self.access_key_id}, ***)"


def read_login(file: Path) -> Login:
    """Raises `UserError` (`Login.NotFound`, `Login.Invalid`) with what to do."""
    try:
        data = file.read_bytes()
    except OSError as e:
        raise UserError(
            f"cannot read the access key in {file}: {e.strerror}",
            code="Login.NotFound",
            hint="Give --data-dir of a center that has been started here, or set SMC_LOGIN to a key file.",
        ) from e
    try:
        return msgspec.json.decode(data, type=Login)
    except msgspec.DecodeError as e:
        raise UserError(f"{file} is not an access key file: {e}", code="Login.Invalid") from e


class Api:
    """One center. Safe to share between threads: each call is a request of its own."""

    def __init__(self, login: Login) -> None:
        scheme, _, host = login.endpoint.rpartition("://")
        self._endpoint = login.endpoint
        self._client = Client(
            Config(
                access_key_id=login.access_key_id,
                access_key_secret=Secret(login.access_key_secret).reveal(),
                endpoint=host,
                protocol=(scheme or "https").upper(),
                ca=login.ca_file or None,  # a path: requests wants a bundle's file
            )
        )

    def call(
        self,
        action: str,
        parameters: Mapping[str, object] | None = None,
        *,
        hidden: Mapping[str, str] | None = None,
    ) -> Json:
        """Ask for `action`; lists and objects in `parameters` may nest, None is left out.

        What is `hidden` goes in the body: a URL may be written down on its way.

        Raises `UserError` for what the center refused (4xx, with its code and cure), `Transient`
        when it cannot be reached, `Broken` when it failed.
        """
        query = {name: value for name, value in (parameters or {}).items() if value is not None}
        try:
            answer = self._client.call_api(
                Params(
                    action=action,
                    version=VERSION,
                    pathname="/",
                    method="POST",
                    auth_type="AK",
                    style="RPC",
                    req_body_type="formData",
                    body_type="json",
                ),
                OpenApiRequest(query=Utils.query(query), body=dict(hidden) if hidden else None),
                RuntimeOptions(
                    connect_timeout=CONNECT_MILLISECONDS, read_timeout=READ_MILLISECONDS, autoretry=False
                ),
            )
        except (DaraException, UnretryableException, RequestException, OSError) as e:
            raise self._translated(action, e) from e
        body: Json = answer["body"]
        return body

    def call_until_reached(
        self, action: str, parameters: Mapping[str, object] | None = None, *, seconds: float
    ) -> Json:
        """`call`, repeated while the center cannot be reached: it may be restarting."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.call(action, parameters)
            except Transient:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def _translated(self, action: str, error: Exception) -> SmcError:
        data = getattr(error, "data", None)
        code = getattr(error, "code", None)
        if not isinstance(data, dict) or "Code" not in data:
            return Transient(
                f"the center at {self._endpoint} cannot be reached ({type(error).__name__})",
                code="Center.Unreachable",
                hint="Is `smc serve` running there? Is the address right?",
            )
        status = int(data.get("statusCode") or 400)
        kind = Broken if status >= 500 else UserError
        message = str(data.get("Message") or f"{action} failed")
        return kind(message, code=str(data.get("Code") or code), hint=str(data.get("Recommend") or ""))
