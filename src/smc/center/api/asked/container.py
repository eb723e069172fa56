"""What a container image is called, and which sources can become one (service-facts 2.7, contracts 6)."""

import re

from msgspec.structs import replace

from smc.base.errors import UserError
from smc.center.api.asked.draft import Asking, Draft
from smc.center.api.words import invalid
from smc.center.containers.pushed import CONTAINER_IMAGE
from smc.model.server import Architecture, platform, runs_windows

NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")  # a component of a name, distribution-spec 1.0
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
LONGEST_NAME = 120  # registries take 255 with their host's name
LATEST = "latest"


def check_container(asking: Asking, draft: Draft) -> Draft:
    """Runs behind `check_target`: the target type is settled."""
    sent, request = asking.sent, draft.request
    request = replace(
        request,
        container_namespace=_name(sent.container_namespace, "ContainerNamespace")
        or request.container_namespace,
        container_repository=_name(sent.container_repository, "ContainerRepository")
        or request.container_repository,
        container_tag=_tag(sent.container_tag) or request.container_tag,
        instance_ram_role=sent.instance_ram_role or request.instance_ram_role,
    )
    named = request.container_namespace or request.container_repository or request.container_tag
    if request.target_type != CONTAINER_IMAGE:
        if named or sent.instance_ram_role:
            raise invalid(
                "TargetType",
                "A container is named, but the target is no container image.",
                "Give TargetType=ContainerImage, or leave Container* and InstanceRamRole out.",
            )
        return draft
    _check_source(asking)
    if not request.run_once:
        raise invalid("RunOnce", "A container image is made once: RunOnce=false is for other targets.")
    for value, parameter in (
        (request.container_namespace, "ContainerNamespace"),
        (request.container_repository, "ContainerRepository"),
    ):
        if not value:
            raise UserError(
                f"TargetType ContainerImage needs {parameter}.",
                code=f"MissingParameter.{parameter}",
                hint="The image is pushed as ContainerNamespace/ContainerRepository:ContainerTag.",
            )
    if request.image_name or sent.image_name or sent.image_name_prefix:
        raise invalid("ImageName", "A container image is named by Container*, not by ImageName.")
    return replace(draft, request=replace(request, container_tag=request.container_tag or LATEST))


def _check_source(asking: Asking) -> None:
    server = asking.source.server
    if runs_windows(server) or server.architecture is not Architecture.X86_64:
        raise invalid(
            "TargetType",
            f"A server of {platform(server)} on {server.architecture.value} cannot become a container image.",
            "Linux on x86_64 can; choose the target Image.",
        )


def _name(text: str, parameter: str) -> str:
    if text and (not NAME.fullmatch(text) or len(text) > LONGEST_NAME):
        raise invalid(
            parameter,
            f"{text[:130]!r} cannot be a part of a container image's name.",
            f"Small letters and digits, between them . _ or -, at most {LONGEST_NAME}.",
        )
    return text


def _tag(text: str) -> str:
    if text and not TAG.fullmatch(text):
        raise invalid(
            "ContainerTag",
            f"{text[:130]!r} cannot be a tag of a container image.",
            "Letters, digits, . _ and -, at most 128.",
        )
    return text
