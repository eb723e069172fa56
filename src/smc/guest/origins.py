"""Where a server may come from, and what each place leaves in its systems. A new origin is a row.

What only lies there is reported. A service is disabled where it would wait for its old place at every start,
or set the copy up as a new machine: host keys, host name and users would change.
"""

from collections.abc import Iterator

import msgspec

from smc.guest.root import Root
from smc.model.report import Check, Level

ITEM = "Tools of another place"
WANTS = (".wants", ".requires")
UNITS = "/etc/systemd/system"
WHY = "waits for the place that this server came from, or sets it up as a new machine"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """`datasources`: its names in cloud-init; `programs` tell that its tools are there; `ends`: its services
    that are disabled.
    """

    name: str
    datasources: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()


ORIGINS = (
    Origin(
        name="VMware",
        datasources=("VMware", "OVF"),
        programs=("/usr/bin/vmtoolsd", "/usr/sbin/vmtoolsd", "/etc/vmware-tools/installer.sh"),
        ends=("vmware-tools", "vmware-tools-thinprint", "vgauthd"),
    ),
    Origin(
        name="VirtualBox",
        programs=("/usr/sbin/VBoxService", "/opt/VBoxGuestAdditions"),
        ends=("vboxadd", "vboxadd-service", "virtualbox-guest-utils"),
    ),
    Origin(
        name="Xen",
        programs=("/usr/sbin/xe-daemon", "/usr/sbin/xe-linux-distribution"),
        ends=("xe-daemon", "xe-linux-distribution", "xendomains"),
    ),
    Origin(
        name="Hyper-V",
        programs=("/usr/sbin/hv_kvp_daemon", "/usr/sbin/hypervkvpd"),
        ends=(
            "hypervkvpd",
            "hypervvssd",
            "hypervfcopyd",
            "hv-kvp-daemon",
            "hv-vss-daemon",
            "hv-fcopy-daemon",
        ),
    ),
    Origin(
        name="Parallels", programs=("/usr/bin/prltoolsd", "/usr/lib/parallels-tools"), ends=("prltoolsd",)
    ),
    Origin(
        name="AWS",
        datasources=("Ec2", "Ec2Local"),
        programs=(
            *("/usr/bin/amazon-ssm-agent", "/snap/amazon-ssm-agent", "/usr/bin/ec2-metadata"),
            *("/opt/aws", "/usr/lib/systemd/system/policy-routes@.service"),
            "/etc/sysconfig/network-scripts/ec2net-functions",  # of Amazon Linux 2
        ),
        ends=("amazon-ssm-agent", "ec2-instance-connect", "hibinit-agent"),
    ),
    Origin(
        name="Azure",
        datasources=("Azure",),
        programs=("/usr/sbin/waagent", "/usr/bin/waagent"),
        ends=("walinuxagent", "waagent", "walinuxagent-network-setup"),
    ),
    Origin(
        name="GCP",
        datasources=("GCE",),
        programs=("/usr/bin/google_guest_agent", "/usr/bin/google_metadata_script_runner"),
        ends=(
            *("google-guest-agent", "google-guest-agent-manager", "google-startup-scripts"),
            *("google-shutdown-scripts", "google-osconfig-agent", "google-oslogin-cache"),
        ),
    ),
    Origin(
        name="Tencent Cloud",
        datasources=("TencentCloud", "ConfigDrive"),
        programs=("/usr/local/qcloud", "/usr/sbin/tat_agent"),
        ends=("tat_agent", "YDService", "stargate"),
    ),
    Origin(
        name="Huawei Cloud",
        programs=("/CloudrResetPwdAgent", "/usr/local/hostguard", "/usr/local/uniagentd"),
        ends=("CloudResetPwdAgent", "CloudResetPwdUpdateAgent", "hostguard"),
    ),
    Origin(
        name="Oracle Cloud",
        datasources=("Oracle",),
        programs=("/usr/libexec/oracle-cloud-agent", "/snap/oracle-cloud-agent"),
        ends=("oracle-cloud-agent", "oracle-cloud-agent-updater", "ocid"),
    ),
    Origin(
        name="DigitalOcean",
        datasources=("DigitalOcean",),
        programs=("/opt/digitalocean",),
        ends=("droplet-agent", "do-agent"),
    ),
    Origin(name="OpenStack", datasources=("OpenStack",)),
    Origin(name="Hetzner", datasources=("Hetzner",), ends=("hc-utils",)),
    Origin(name="Vultr", datasources=("Vultr",)),
    Origin(name="Scaleway", datasources=("Scaleway",)),
    Origin(name="KVM", programs=("/usr/sbin/qemu-ga", "/usr/bin/qemu-ga")),
)
WELCOME = frozenset({"KVM"})  # the new machine is one too


def clean(root: Root) -> list[Check]:
    """Disable what would wait, and tell what was found."""
    checks = []
    for origin in ORIGINS:
        disabled = sorted({name for unit in origin.ends for name in _disable(root, unit)})
        there = [path for path in origin.programs if root.exists(path)]
        if origin.name in WELCOME or not (disabled or there):
            continue
        told = f"tools of {origin.name} are there"
        told += f" ({', '.join(there)})" if there else ""
        told += f"; disabled: {', '.join(disabled)}" if disabled else ""
        cure = "Remove them on the new machine when it is not to go back."
        checks.append(Check(item=ITEM, level=Level.INFORMATION, finding=told, cure=cure))
    return checks


def origin_of_datasource(name: str) -> str:
    return next((origin.name for origin in ORIGINS if name in origin.datasources), "")


def _disable(root: Root, unit: str) -> Iterator[str]:
    """Units are started by links in folders `*.wants`; a service of another kind of init by its script."""
    for folder in root.files(UNITS):
        if not folder.endswith(WANTS):
            continue
        for suffix in (".service", ".timer"):
            if root.stat(f"{folder}/{unit}{suffix}", follow=False):
                root.remove(f"{folder}/{unit}{suffix}", WHY)
                yield f"{unit}{suffix}"
    for level in "2345":
        for path in root.files(f"/etc/rc{level}.d"):
            if path.rsplit("/", 1)[-1][:1] == "S" and path.rsplit("/", 1)[-1][3:] == unit:
                root.remove(path, WHY)
                yield unit
