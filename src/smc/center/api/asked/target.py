"""What is to be delivered, and how."""

from msgspec.structs import replace

from smc.base.errors import UserError
from smc.center.api.asked.draft import Asking, Draft
from smc.center.api.words import invalid
from smc.model.server import platform

TARGET_INSTANCE = "TargetInstance"
TARGET_TYPES = {"image": "Image", "containerimage": "ContainerImage", "targetinstance": TARGET_INSTANCE}
TARGET_TYPES["instance"] = TARGET_INSTANCE
LICENSED = ("Windows", "RedHat", "SUSE", "OpenSUSE")  # whose licences can be brought along


def check_target(asking: Asking, draft: Draft) -> Draft:
    sent, request = asking.sent, draft.request
    if sent.target_type:
        request = replace(request, target_type=_target_type(sent.target_type))
    if sent.launch_template_version and not (sent.launch_template_id or request.launch_template_id):
        raise version_without_template()
    if sent.launch_template_id:  # a version that was said before is of another one
        request = replace(request, launch_template_id=sent.launch_template_id, launch_template_version="")
    if sent.launch_template_version:
        request = replace(request, launch_template_version=sent.launch_template_version)
    if sent.license_type:
        _check_license(asking, sent.license_type)
        request = replace(request, license_type=sent.license_type)
    return replace(draft, request=request)


def version_without_template() -> UserError:
    return UserError(
        "LaunchTemplateVersion is given without LaunchTemplateId.",
        code="MissingParameter.LaunchTemplateId",
        hint="Give the launch template, or leave its version out.",
    )


def _target_type(text: str) -> str:
    target = TARGET_TYPES.get(text.lower())
    if target is None:
        raise invalid("TargetType", f"TargetType must be one of {', '.join(set(TARGET_TYPES.values()))}.")
    return target


def _check_license(asking: Asking, license_type: str) -> None:
    if license_type != "BYOL":
        raise invalid("LicenseType", "LicenseType must be BYOL or empty.")
    if platform(asking.source.server) not in LICENSED:
        raise invalid(
            "LicenseType", f"A licence can be brought for {', '.join(LICENSED)} only.", "Leave it out."
        )
