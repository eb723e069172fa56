"""The official SDK as a client of a running center, and the errors it reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from alibabacloud_smc20190601.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_tea_util.models import RuntimeOptions
from tests.unit.center.running import Center

SCHEMES = ("", "v2")  # ACS3-HMAC-SHA256, and HMAC-SHA1 as older SDKs sign


def client_of(center: Center, scheme: str = "", *, key: str = "", secret: str = "") -> Client:
    config = Config(
        access_key_id=key or center.admin.access_key_id,
        access_key_secret=secret or center.admin.access_key_secret,
        endpoint=f"127.0.0.1:{center.api_port}",
        protocol="HTTP",
    )
    if scheme:
        config.signature_algorithm = scheme
    return Client(config)


def call(client: Client, action: str, **parameters: object) -> dict[str, Any]:
    """Any action, ours too, by the SDK's generic call; lists and objects may nest."""
    answer = client.call_api(
        Params(
            action=action,
            version="2019-06-01",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        ),
        OpenApiRequest(query=Utils.query(parameters)),
        RuntimeOptions(),
    )
    body: dict[str, Any] = answer["body"]
    return body


@contextmanager
def refused(code: str, *, status: int = 400, match: str = "") -> Iterator[None]:
    """What is within is refused with this code, a message that holds `match`, and a request id."""
    with pytest.raises(ClientException) as raised:
        yield
    data = raised.value.data
    assert raised.value.code == code, raised.value.message
    assert data["statusCode"] == status
    assert match in data["Message"]
    assert data["RequestId"] == data["RequestId"].upper() != ""
