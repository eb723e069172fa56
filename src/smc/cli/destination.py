"""Which cloud a center moves servers to: the embedded one, or a real one by its endpoint and keys."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from smc.base.errors import UserError
from smc.base.secret import Secret
from smc.center.settings import Settings
from smc.cli.embedded import CloudLogin, EmbeddedCloud
from smc.cloud.ecs.calls import EcsAccess
from smc.cloud.ecs.driver import LOCAL_PORTS, EcsDriver

KEY_ID, KEY_SECRET = "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # the SDK's own names


@dataclass(frozen=True, slots=True)
class Destination:
    """`wait` returns when the cloud can be asked. Raises `Broken` (`LocalCloud.NotServing`)."""

    driver: EcsDriver
    wait: Callable[[], None] = lambda: None


def open_cloud(settings: Settings, endpoint: str, stack: ExitStack) -> Destination:
    """An embedded cloud is started, and ended with `stack`. Raises `UserError` (`Cloud.NoKeys`)."""
    if not endpoint:
        embedded = EmbeddedCloud(settings.data_dir, settings.public_host)
        stack.callback(embedded.stop)
        return Destination(local_driver(embedded.start()), embedded.wait)
    key_id, secret = os.environ.get(KEY_ID), os.environ.get(KEY_SECRET)
    if not key_id or not secret:
        raise UserError(
            f"there are no keys for the cloud at {endpoint}",
            code="Cloud.NoKeys",
            hint=f"Set {KEY_ID} and {KEY_SECRET} to a RAM user's key that may use ECS and VPC.",
        )
    access = EcsAccess(region=settings.region, key_id=key_id, key_secret=Secret(secret), endpoint=endpoint)
    return Destination(EcsDriver(access))


def local_driver(login: CloudLogin) -> EcsDriver:
    """The same driver, pointed at the local cloud; receivers listen on ports of this machine."""
    access = EcsAccess(
        region="local",
        key_id=login.access_key_id,
        key_secret=Secret(login.access_key_secret),
        endpoint=login.endpoint,
        protocol="HTTP",
    )
    return EcsDriver(access, ports=LOCAL_PORTS)
