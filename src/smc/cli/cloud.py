"""`smc cloud`: the local cloud's process; `smc serve` starts and supervises it.

It is started as a module of its own: without the other verbs it serves two seconds earlier.
"""

import logging
import sys
from typing import Annotated

import typer

from smc.base import log
from smc.base.errors import SmcError, UserError
from smc.cli.data_dir import DEFAULT_DATA_DIR, DataDir
from smc.cli.embedded import LOGIN, read_cloud_login
from smc.cli.output import show_error
from smc.localcloud import accelerator, appliance, apt, bake
from smc.localcloud.catalogue import SystemImage
from smc.localcloud.machine import Accelerator
from smc.localcloud.main import serve

logger = logging.getLogger(__name__)


def cloud(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    public_host: Annotated[
        str, typer.Option(help="Address of this machine on which opened ports answer; loopback if not given.")
    ] = "127.0.0.1",
) -> None:
    """Serve the ECS-compatible API over QEMU; its keys are in DATA_DIR/cloud/login.json."""
    log.set_up()
    folder = data_dir / "cloud"
    login = read_cloud_login(folder / LOGIN)
    if login is None:
        raise UserError(
            f"{folder / LOGIN} is missing or damaged",
            code="LocalCloud.NoLogin",
            hint="`smc serve` makes it, and starts the local cloud itself.",
        )
    serve(
        folder,
        login.host,
        login.port,
        {login.access_key_id: login.access_key_secret},
        find_accelerator,
        host_address=public_host,
        images=system_images(),
    )


def system_images() -> list[SystemImage]:
    """The image of intermediate instances, if it has been built: a cloud that serves does not wait for it."""
    built = bake.baked(appliance.recipe())
    if built is None:
        logger.warning("there is no image for intermediate instances yet: `make appliance` builds it")
        return []
    distribution = apt.host_distribution()
    return [
        SystemImage(
            name=f"{distribution.id}_{distribution.codename}_x64_{built.folder.name}",
            files=(built.disk(appliance.DISK),),
            platform=distribution.id.capitalize(),
            family=f"smc_{distribution.id}",
            description="The system image of intermediate instances",
        )
    ]


def find_accelerator() -> Accelerator:
    """KVM where a guest really boots under it; the first answer may take half a minute."""
    built = bake.baked(appliance.recipe())
    if built is None:
        return Accelerator.TCG
    return accelerator.find(built.kernel, bake.CACHE / "accelerator.json").accelerator


if __name__ == "__main__":
    try:
        typer.run(cloud)
    except SmcError as error:
        show_error(error)
        sys.exit(1)
