"""Templates (ours): CreateTemplate, DescribeTemplates, ModifyTemplate, DeleteTemplate."""

from collections.abc import Mapping
from typing import Any

import msgspec

from smc.base.errors import Transient
from smc.center.api import presets, replication_parameters, tag_rules
from smc.center.api.context import Context
from smc.center.api.excludes import check_patterns
from smc.center.api.words import (
    ClientToken,
    PageNumber,
    PageSize,
    Text,
    check_free_text,
    check_ids,
    check_name,
    invalid,
    offset,
    page,
    request_hash,
    written,
)
from smc.center.store.templates import NewTemplate, Template
from smc.rpc.dispatch import Actions, Caller, Reply, action
from smc.rpc.params import Request

TRIES = 5  # another change of the same template may come in between


class CreateTemplate(Request, frozen=True, kw_only=True):
    name: str
    description: Text = ""
    client_token: ClientToken = ""
    target_type: str = "Image"


class ModifyTemplate(Request, frozen=True, kw_only=True):
    """`clear`: names of parameters that it holds no longer."""

    template_id: str
    name: str | None = None
    description: Text | None = None
    clear: tuple[str, ...] = ()


class DescribeTemplates(Request, frozen=True, kw_only=True):
    template_id: tuple[str, ...] = ()
    name: str = ""
    page_number: PageNumber = 1
    page_size: PageSize = 10


class OneTemplate(Request, frozen=True, kw_only=True):
    template_id: str


class TemplateActions:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._templates = context.store.templates

    def actions(self) -> Actions:
        return {
            "CreateTemplate": action(presets.with_presets(CreateTemplate), self._create),
            "DescribeTemplates": action(DescribeTemplates, self._describe),
            "ModifyTemplate": action(presets.with_presets(ModifyTemplate), self._modify),
            "DeleteTemplate": action(OneTemplate, self._delete),
        }

    def _create(self, request: CreateTemplate, _caller: Caller) -> Reply:
        """Keep parameters for jobs that make images: CreateReplicationJob takes them by TemplateId, and what
        its request says itself goes first.
        """
        presets.require_image(request.target_type)
        given = presets.presets_of(request)
        self._check(given)
        new = NewTemplate(
            name=check_name(request.name, "Name"),
            description=check_free_text(request.description, "Description"),
            parameters=presets.as_text(given),
            client_token=request.client_token,
            token_hash=request_hash(msgspec.structs.replace(request, client_token="")),
        )
        return {"TemplateId": self._templates.create(new)}

    def _describe(self, request: DescribeTemplates, _caller: Caller) -> Reply:
        """Templates with the parameters that each holds, newest first."""
        total, found = self._templates.page(
            check_ids(request.template_id, "TemplateId"),
            request.name,
            offset=offset(request.page_number, request.page_size),
            limit=request.page_size,
        )
        return {
            **page(request.page_number, request.page_size, total),
            "Templates": {"Template": [_described(template) for template in found]},
        }

    def _modify(self, request: ModifyTemplate, _caller: Caller) -> Reply:
        """Change what is given; `Clear` names parameters that it holds no longer. Jobs stay as they are."""
        given = presets.presets_of(request)
        cleared = {_attribute(name) for name in request.clear}
        self._check(given)
        for _ in range(TRIES):
            before = self._templates.find(request.template_id)
            kept = {k: v for k, v in presets.read(before.parameters).items() if k not in cleared}
            after = msgspec.structs.replace(before, parameters=presets.as_text(presets.changed(kept, given)))
            if request.name is not None:
                after = msgspec.structs.replace(after, name=check_name(request.name, "Name"))
            if request.description is not None:
                text = check_free_text(request.description, "Description")
                after = msgspec.structs.replace(after, description=text)
            if self._templates.change(before, after):
                return {}
        raise Transient("The template is being changed by somebody else.", hint="Try again.")

    def _delete(self, request: OneTemplate, _caller: Caller) -> Reply:
        """Forget it; jobs that were created with it stay as they are."""
        self._templates.delete(request.template_id)
        return {}

    def _check(self, given: Mapping[str, Any]) -> None:  # Any: parameters of all types
        """What can be known without a source; the rest is found when a job is created with it."""
        if prefix := given.get("image_name_prefix"):
            check_name(prefix, "ImageNamePrefix")
        if text := given.get("replication_parameters"):
            replication_parameters.read(text)
        if vswitch := given.get("v_switch_id"):
            self._context.driver.vpc_of(vswitch)
        if given.get("license_type", "BYOL") != "BYOL":
            raise invalid("LicenseType", "LicenseType must be BYOL or empty.")
        tag_rules.given(given.get("tag", ()))
        check_patterns(given.get("excludes", ()))


def _attribute(name: str) -> str:
    """Of a parameter that a template may hold. Raises `UserError` (`InvalidParameter.Clear`)."""
    for field in msgspec.structs.fields(presets.PRESETS):
        if field.encode_name == name:
            return field.name
    raise invalid("Clear", f"A template has no parameter {name[:100]!r}.", "DescribeTemplates shows them.")


def _described(template: Template) -> dict[str, object]:
    return {
        "TemplateId": template.id,
        "Name": template.name,
        "Description": template.description,
        "CreationTime": written(template.created),
        "ModifiedTime": written(template.changed),
        "TargetType": "Image",
        "Parameters": presets.shown(presets.read(template.parameters)),
    }
