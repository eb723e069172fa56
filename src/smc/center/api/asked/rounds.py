"""Once or round after round: how often, and how many images are kept."""

from msgspec.structs import replace

from smc.base.errors import UserError
from smc.center.api.asked.draft import Asking, Draft
from smc.center.api.asked.target import TARGET_INSTANCE
from smc.center.api.words import invalid

KEEP = "MaxNumberOfImageToKeep"  # without effect for an instance, of which no round makes an image


def check_rounds(asking: Asking, draft: Draft) -> Draft:
    """Both parameters belong to an incremental job, and it needs both; onto an instance Frequency alone."""
    sent, request = asking.sent, draft.request
    given = {"Frequency": sent.frequency, KEEP: sent.max_number_of_image_to_keep}
    if request.run_once:
        for parameter, value in given.items():
            if value is not None:
                why = f"{parameter} is for jobs that do not run once."
                raise invalid(parameter, why, "Set RunOnce to false, or leave it out.")
        return draft
    frequency = sent.frequency or request.frequency_hours
    keep = sent.max_number_of_image_to_keep or request.images_to_keep
    for parameter, value in (("Frequency", frequency), (KEEP, keep)):
        if not value and not (parameter == KEEP and request.target_type == TARGET_INSTANCE):
            raise UserError(
                f"A job that does not run once needs {parameter}.",
                code=f"MissingParameter.{parameter}",
                hint="Give the hours from one round to the next (1-168) and how many images are kept (1-10).",
            )
    return replace(draft, request=replace(request, frequency_hours=frequency, images_to_keep=keep))
