"""`smc appliance`: builds what the local cloud needs once on this machine."""

from smc.cli.cloud import find_accelerator
from smc.cli.output import out
from smc.localcloud import appliance as image


def appliance() -> None:
    """Build the system image of intermediate instances, and find out whether guests boot under KVM here."""
    built = image.build(say=lambda line: out.print(line, markup=False))
    out.print(f"image of intermediate instances: {built.disk(image.DISK)}", markup=False, soft_wrap=True)
    out.print(f"machines run under {find_accelerator().value}")
