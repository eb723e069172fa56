"""`--container NAMESPACE/REPOSITORY[:TAG]` of `smc job create`."""

from typing import Annotated

import typer

from smc.base.errors import UserError
from smc.client.api import Json

Container = Annotated[
    str, typer.Option(help="Make a container image of this name: NAMESPACE/REPOSITORY[:TAG].")
]


def target(container: str) -> Json:
    """The target's parameters. Raises `UserError` (`InvalidParameter.ContainerRepository`)."""
    if not container:
        return {"TargetType": "Image"}
    name, _, tag = container.partition(":")
    namespace, _, repository = name.partition("/")
    if not namespace or not repository:
        raise UserError(
            f"{container!r} does not name a container image",
            code="InvalidParameter.ContainerRepository",
            hint="Give it as NAMESPACE/REPOSITORY[:TAG], such as team/web:v1.",
        )
    return {
        "TargetType": "ContainerImage",
        "ContainerNamespace": namespace,
        "ContainerRepository": repository,
        "ContainerTag": tag or None,
    }
