"""Names of the job and of what it delivers."""

from msgspec.structs import replace

from smc.center.api.asked.draft import Draft, Sent
from smc.center.api.words import check_name, invalid


def check_names(asking: Sent, draft: Draft) -> Draft:
    sent, request = asking.sent, draft.request
    for text, parameter in (
        (sent.name, "Name"),
        (sent.description, "Description"),
        (sent.image_name, "ImageName"),
        (sent.image_name_prefix, "ImageNamePrefix"),
    ):
        if text:
            check_name(text, parameter)
    if sent.image_name and sent.image_name_prefix:
        raise invalid("ImageNamePrefix", "ImageName and ImageNamePrefix cannot be given together.")
    if sent.image_name:
        request = replace(request, image_name=sent.image_name, image_name_prefix="")
    if sent.image_name_prefix:
        request = replace(request, image_name="", image_name_prefix=sent.image_name_prefix)
    return replace(
        draft,
        name=sent.name or draft.name,
        description=sent.description or draft.description,
        request=request,
    )
