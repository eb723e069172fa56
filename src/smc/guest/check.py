"""The image check (service-facts 5): what can be judged of a Linux system from its files alone.

Virtio, Nvme, Fstab, Grub and Dhcp are judged by the files that set them right.
"""

import logging
from collections.abc import Callable
from typing import NamedTuple

from smc.guest import cloudinit, selinux
from smc.guest.detect import System
from smc.guest.root import Root
from smc.model.report import Check, Level
from smc.model.server import Architecture, Firmware

log = logging.getLogger(__name__)

GROWPART = ("/usr/bin/growpart", "/bin/growpart")
CLOUD_ASSISTANT = ("/usr/local/share/aliyun-assist", "/usr/sbin/aliyun-service")
SECURITY_CENTER = ("/usr/local/aegis",)
SYSTEM_FILES = ("/etc/passwd", "/bin/sh", "/sbin/init")
OLDEST_MODERN_KERNEL = (4, 14)  # the drivers of newer instance families; CentOS 7 and Debian 9 are older


class Facts(NamedTuple):
    root: Root
    system: System
    architecture: Architecture
    firmware: Firmware


def check(root: Root, system: System, architecture: Architecture, firmware: Firmware) -> list[Check]:
    """One for each item; what cannot be looked at says so, and hinders nothing.

    `architecture` counts where the system itself does not tell.
    """
    facts = Facts(root, system, architecture, firmware)
    return [_looked_at(item, facts) for item in ITEMS]


def _looked_at(item: Callable[[Facts], Check], facts: Facts) -> Check:
    try:
        return item(facts)
    except Exception as e:  # the edge: what a copy has in its files must not fail its job
        name = item.__name__.strip("_")
        log.exception("the check %s failed", name)
        cure = "Look at it on the new machine."
        finding = f"could not be looked at: {type(e).__name__}: {e}"
        return Check(item=f"GUESTOS.{name}", level=Level.WARNING, finding=finding, cure=cure)


def _platform(facts: Facts) -> Check:
    return _information("Platform", f"Linux, of the {facts.system.family.name} family")


def _os_version(facts: Facts) -> Check:
    return _information("OSVersion", facts.system.name)


def _architecture(facts: Facts) -> Check:
    found = facts.system.architecture or facts.architecture
    return _information("Architecture", found.value)


def _boot_mode(facts: Facts) -> Check:
    return _information("BootMode", facts.firmware.value)


def _kernel_version(facts: Facts) -> Check:
    newest, *older = [kernel.version for kernel in facts.system.kernels]
    also = f"; also there: {', '.join(older)}" if older else ""
    return _information("KernelVersion", f"{newest}{also}")


def _system_image(facts: Facts) -> Check:
    missing = [path for path in SYSTEM_FILES if not facts.root.exists(path)]
    if missing:
        finding = f"{', '.join(missing)} are not there: this is not a system disk"
        cure = "The system disk of the job must hold the root filesystem of the source."
        return Check(item="GUESTOS.SystemImage", level=Level.CRITICAL, finding=finding, cure=cure)
    return _passed("SystemImage", "holds a system with a kernel and an init")


def _rtc(facts: Facts) -> Check:
    if "LOCAL" in (facts.root.read("/etc/adjtime") or "").split():
        cure = "Run `timedatectl set-local-rtc 0` on the new machine."
        return _warning("RtcTimeMode", "the hardware clock is taken for local time", cure)
    return _passed("RtcTimeMode", "the hardware clock runs in UTC")


def _selinux(facts: Facts) -> Check:
    return selinux.judge(facts.root)


def _online_resize(facts: Facts) -> Check:
    if cloudinit.installed(facts.root) and _any(facts.root, GROWPART):
        return _passed("OnlineResizeFS", "cloud-init and growpart are there")
    cure = "Install cloud-init and cloud-guest-utils, or grow the root filesystem by hand after a resize."
    return _warning("OnlineResizeFS", "the root filesystem does not grow by itself with its disk", cure)


def _cloud_init(facts: Facts) -> Check:
    if not cloudinit.installed(facts.root):
        return _warning(
            "CloudInit", "cloud-init is not installed", "Install cloud-init if the cloud shall set it up."
        )
    listed = cloudinit.datasources(facts.root)
    if listed and cloudinit.NEW_CLOUDS[0] not in listed:
        cure = "Name the data source of the new cloud, or run `cloud-init clean` on the new machine."
        return _warning("CloudInit", f"it looks only for {', '.join(listed)}", cure)
    finding = f"cloud-init is there and looks for {', '.join(listed) or 'its cloud by itself'}"
    return _passed("CloudInit", finding)


def _cloud_assistant(facts: Facts) -> Check:
    return _agent(facts.root, "CloudAssistant", "the Cloud Assistant agent", CLOUD_ASSISTANT)


def _security_center(facts: Facts) -> Check:
    return _agent(facts.root, "SecurityCenterAgent", "the Security Center agent", SECURITY_CENTER)


def _modern_instances(facts: Facts) -> Check:
    version = facts.system.kernels[0].version
    numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers >= OLDEST_MODERN_KERNEL:
        return _passed("SupportMocInstanceTypes", f"kernel {version} knows newer instance types")
    cure = "Choose an instance type of an older family, or upgrade the system first."
    return _warning(
        "SupportMocInstanceTypes", f"kernel {version} may not start on newer instance types", cure
    )


ITEMS: tuple[Callable[[Facts], Check], ...] = (
    _platform,
    _os_version,
    _architecture,
    _boot_mode,
    _kernel_version,
    _system_image,
    _rtc,
    _selinux,
    _online_resize,
    _cloud_init,
    _cloud_assistant,
    _security_center,
    _modern_instances,
)


def _any(root: Root, paths: tuple[str, ...]) -> bool:
    return any(root.exists(path) for path in paths)


def _agent(root: Root, item: str, what: str, paths: tuple[str, ...]) -> Check:
    if _any(root, paths):
        return _passed(item, f"{what} is there")
    return _information(item, f"{what} is not installed", f"Install {what} on the new machine if you use it.")


def _information(item: str, finding: str, cure: str = "") -> Check:
    return Check(item=f"GUESTOS.{item}", level=Level.INFORMATION, finding=finding, cure=cure)


def _passed(item: str, finding: str) -> Check:
    return Check(item=f"GUESTOS.{item}", level=Level.PASSED, finding=finding)


def _warning(item: str, finding: str, cure: str) -> Check:
    return Check(item=f"GUESTOS.{item}", level=Level.WARNING, finding=finding, cure=cure)
