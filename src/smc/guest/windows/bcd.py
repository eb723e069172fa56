r"""The boot configuration of Windows (BCD): does its default entry lead to a loader of this firmware?

A hive: `Objects\{id}\Elements\TYPE`, value `Element`. Types as in the BCD reference of Windows.
"""

from smc.guest.windows.hive import Hive
from smc.model.server import Firmware

MANAGER = "{9dea862c-5cdd-4e70-acc1-b32b344d4795}"
DEVICE, PATH, OS_DEVICE, DEFAULT = "11000001", "12000002", "21000001", "23000003"
LOADERS = {Firmware.BIOS: "winload.exe", Firmware.UEFI: "winload.efi"}


def judge_bcd(content: bytes | None, firmware: Firmware) -> str:
    """What is wrong, "" for nothing."""
    if content is None:
        return "the partition that starts has no BCD"
    try:
        return _judge(Hive(content), firmware)
    except ValueError as e:
        return f"the BCD is damaged: {e}"


def _judge(hive: Hive, firmware: Firmware) -> str:
    if not hive.has(rf"Objects\{MANAGER}"):
        return "the BCD has no boot manager"
    default = hive.text(rf"Objects\{MANAGER}\Elements\{DEFAULT}", "Element")
    if not default:
        return "the BCD has no default entry"
    elements = rf"Objects\{default}\Elements"
    if not hive.has(elements):
        return f"the default entry {default} of the BCD is not there"
    path = hive.text(rf"{elements}\{PATH}", "Element")
    if not path.lower().endswith(LOADERS[firmware]):
        return f"the default entry starts {path or 'nothing'}, and this firmware needs {LOADERS[firmware]}"
    lost = [kind for kind in (DEVICE, OS_DEVICE) if not hive.value(rf"{elements}\{kind}", "Element")]
    return (
        f"the default entry does not say on which partition Windows lies ({', '.join(lost)})" if lost else ""
    )
