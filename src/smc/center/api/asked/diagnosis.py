"""What is looked at besides the migration itself: the image, and the logs of who worked on it."""

from msgspec.structs import replace

from smc.center.api.asked.draft import Asking, Draft


def check_diagnosis(asking: Asking, draft: Draft) -> Draft:
    sent, request = asking.sent, draft.request
    if sent.image_check is not None:
        request = replace(request, image_check=sent.image_check)
    if sent.upload_diagnostic_logs is not None:
        request = replace(request, upload_diagnostic_logs=sent.upload_diagnostic_logs)
    return replace(draft, request=request)
