"""Which parameters of a job a template holds, and how a request is filled up with them."""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from smc.center.api.context import Context
from smc.center.api.job_parameters import CreateReplicationJob, JobParameters
from smc.center.api.words import invalid
from smc.model.codec import decode
from smc.rpc.params import Request

NAMES = (  # attributes of CreateReplicationJob; whatever is of one source, instance or moment is none
    "execution_method",
    "excludes",
    "frequency",
    "image_check",
    "image_name_prefix",
    "instance_type",
    "ip_mode",
    "launch_template_id",
    "launch_template_version",
    "license_type",
    "max_number_of_image_to_keep",
    "net_mode",
    "replication_parameters",
    "resource_group_id",
    "run_once",
    "system_disk_size",
    "tag",
    "upload_diagnostic_logs",
    "v_switch_id",
    "vpc_id",
)
EXCLUDED_BY: Mapping[str, tuple[str, ...]] = {  # preset -> parameters of the request that take its place
    "image_name_prefix": ("image_name",),
    "launch_template_version": ("launch_template_id",),
    "system_disk_size": ("disks",),
    "vpc_id": ("v_switch_id",),
}

R = TypeVar("R", bound=Request)
J = TypeVar("J", bound=JobParameters)


def with_presets(base: type[R]) -> type[R]:
    """A request type that has the presets too, each as CreateReplicationJob has it."""
    fields = {field.name: field for field in msgspec.structs.fields(CreateReplicationJob)}
    made = msgspec.defstruct(
        base.__name__,
        [(name, fields[name].type, fields[name].default) for name in NAMES],
        bases=(base,),
        frozen=True,
        kw_only=True,
        module=base.__module__,
    )
    return cast("type[R]", made)  # it is one by `bases`; defstruct's own type does not say so


class Presets(Request, frozen=True, kw_only=True):
    """Presets alone."""


PRESETS = with_presets(Presets)


def presets_of(request: Request) -> dict[str, Any]:  # Any: parameters of all types
    """Those that were given, by attribute."""
    default = PRESETS()
    found = {name: getattr(request, name) for name in NAMES}
    return {name: value for name, value in found.items() if value != getattr(default, name)}


def as_text(presets: Mapping[str, object]) -> str:
    """What a template keeps."""
    return msgspec.json.encode(shown(presets)).decode()


def shown(presets: Mapping[str, object]) -> dict[str, Any]:  # Any: JSON of all shapes
    """By the names of the parameters, as JSON."""
    whole: dict[str, Any] = msgspec.to_builtins(PRESETS(**presets))
    fields = msgspec.structs.fields(PRESETS)
    return {field.encode_name: whole[field.encode_name] for field in fields if field.name in presets}


def read(text: str) -> dict[str, Any]:  # Any: parameters of all types
    return presets_of(decode(text, PRESETS))


def changed(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:  # Any: as above
    """Presets of a template after a change: what was given takes the place of others too."""
    kept = {name: value for name, value in before.items() if not given.keys() & EXCLUDED_BY.get(name, ())}
    return kept | dict(given)


def filled(context: Context, request: J) -> J:
    """The request with what its template has and it does not say itself.

    Raises `UserError` (`InvalidTemplateId.NotFound`, `InvalidParameter.TemplateId`).
    """
    if not request.template_id:
        return request
    template = context.store.templates.find(request.template_id)
    require_image(request.target_type)
    defaults = {field.name: field.default for field in msgspec.structs.fields(type(request))}

    def is_free(name: str) -> bool:
        return all(getattr(request, each) == defaults[each] for each in (name, *EXCLUDED_BY.get(name, ())))

    presets = {
        name: value for name, value in read(template.parameters).items() if name in defaults and is_free(name)
    }
    return msgspec.structs.replace(request, **presets)


def require_image(target_type: str) -> None:
    """Raises `UserError` (`InvalidParameter.TemplateId`)."""
    if target_type.lower() not in ("", "image"):
        raise invalid("TemplateId", "Templates are for jobs that make images only.", "Leave TemplateId out.")
