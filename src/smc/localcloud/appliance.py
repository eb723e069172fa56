"""The system image of the intermediate instance: a small Debian or Ubuntu that runs its user data and serves.

The agent file is not in it. The user data downloads it from the center and checks its hash, exactly as on an
instance of the real cloud, where we have no image of our own: one way, tried in every local migration.

User data that begins with `#!` is run once for each instance id, as cloud-init would; cloud-init itself needs
Python and half a minute under emulation. Root has no password; keys for sshd come with the user data.
"""

import logging

from smc.localcloud.bake import Baked, Say, bake
from smc.localcloud.recipe import DiskRecipe, File, Kind, Recipe, Volume

log = logging.getLogger(__name__)

DISK = "system"
DISK_GIB = 4  # 0.6 GiB are used; an instance's disk is larger, and the receiver needs no room on it
ROOT_UUID = "0a9d3c1e-6b7f-4c52-9d0e-5a3f1b2c4d70"

PACKAGES = (
    *("systemd", "systemd-sysv", "udev", "kmod", "acpid"),
    *("iproute2", "openssh-server", "curl", "ca-certificates"),
    *("util-linux", "fdisk", "gdisk", "e2fsprogs", "rsync", "acl", "attr"),
    *("xfsprogs", "btrfs-progs", "dosfstools", "lvm2"),
    *("xz-utils", "lz4", "bzip2"),  # to look into the initramfs of a copy
)
# What a machine that lives for minutes does not need.
MASKED = (
    *(
        "apt-daily.timer",
        "apt-daily-upgrade.timer",
        "dpkg-db-backup.timer",
        "fstrim.timer",
        "motd-news.timer",
    ),
    *("e2scrub_all.timer", "e2scrub_reap.service", "systemd-tmpfiles-clean.timer", "keyboard-setup.service"),
    *("getty-static.service", "systemd-journal-flush.service", "systemd-update-utmp.service"),
)

NETWORK = """[Match]
Type=ether

[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no

[DHCPv4]
ClientIdentifier=mac
UseHostname=no
"""

FIRST_BOOT = r"""#!/bin/sh
# Runs the user data of the seed disk (NoCloud: volume label cidata), once for each instance id.
set -eu
udevadm settle --timeout=10 || true
seed=$(blkid -L cidata) || { echo "first-boot: no seed disk"; exit 0; }
mkdir -p /run/seed
mountpoint -q /run/seed || mount -o ro "$seed" /run/seed
sed -n 's/^DNS=//p' /run/systemd/netif/leases/* | tr ' ' '\n' | sed 's/^/nameserver /' > /etc/resolv.conf
instance=$(sed -n 's/^instance-id: *//p' /run/seed/meta-data)
name=$(sed -n 's/^local-hostname: *//p' /run/seed/meta-data)
kept=/var/lib/first-boot/$instance
[ ! -e "$kept" ] || { echo "first-boot: the user data of $instance has run"; exit 0; }
[ -z "$name" ] || { echo "$name" > /etc/hostname; hostname "$name"; }
mkdir -p -m 0700 "$kept"
read -r first < /run/seed/user-data || true
case "$first" in
'#!'*) ;;
*) echo "first-boot: the user data is not a script"; exit 0 ;;
esac
install -m 0700 /run/seed/user-data "$kept/user-data"
echo "first-boot: running the user data of $instance at $(cut -d ' ' -f 1 /proc/uptime) s"
cd /
if "$kept/user-data"; then
    echo "first-boot: the user data has run at $(cut -d ' ' -f 1 /proc/uptime) s"
else
    echo "first-boot: the user data ended with status $?"
    exit 1
fi
"""

FIRST_BOOT_UNIT = """[Unit]
Description=Run the user data of this instance
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/first-boot
StandardOutput=journal+console
StandardError=journal+console
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
"""

HOST_KEY = """[Service]
Environment=KEY=/etc/ssh/ssh_host_ed25519_key
ExecStartPre=
ExecStartPre=/bin/sh -c '[ -e ${KEY} ] || ssh-keygen -q -t ed25519 -N "" -f ${KEY}'
ExecStartPre=/usr/sbin/sshd -t
"""

SCRIPT = f"""
rm -f /etc/ssh/ssh_host_*
systemctl enable systemd-networkd.service systemd-networkd-wait-online.service first-boot.service
systemctl mask {" ".join(MASKED)}
: > /etc/machine-id
echo intermediate > /etc/hostname
printf '127.0.0.1 localhost\\n' > /etc/hosts
"""


def recipe() -> Recipe:
    return Recipe(
        kind="appliance",
        packages=PACKAGES,
        files=(
            File(path="/etc/fstab", content=f"UUID={ROOT_UUID} / ext4 errors=remount-ro 0 0\n"),
            File(path="/etc/systemd/network/50-any.network", content=NETWORK),
            File(path="/etc/systemd/system/first-boot.service", content=FIRST_BOOT_UNIT),
            File(path="/etc/systemd/system/ssh.service.d/host-key.conf", content=HOST_KEY),
            File(path="/usr/local/sbin/first-boot", content=FIRST_BOOT, mode=0o755),
            File(
                path="/etc/ssh/sshd_config.d/keys-only.conf",
                content="HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\nUseDNS no\n",
            ),
            File(
                path="/etc/acpi/events/power",
                content="event=button/power.*\naction=/bin/systemctl poweroff\n",
            ),
            # every instance has virtio disks; a small initramfs is read and unpacked sooner
            File(path="/etc/initramfs-tools/conf.d/small", content="MODULES=list\n"),
            File(path="/etc/initramfs-tools/modules", content="virtio_pci\nvirtio_blk\next4\n"),
        ),
        script=SCRIPT,
        disks=(
            DiskRecipe(
                name=DISK,
                size_gib=DISK_GIB,
                volumes=(
                    Volume(kind=Kind.BIOS_BOOT, size_mib=1),
                    Volume(kind=Kind.EXT4, uuid=ROOT_UUID, label="appliance", folder="/"),
                ),
            ),
        ),
        # each instance begins with a fresh copy of a filesystem that was never dirty
        kernel_options="fsck.mode=skip quiet console=tty0 console=ttyS0,115200",
    )


def build(*, say: Say = log.info) -> Baked:
    """`.disk(DISK)` is the image, `.kernel` a kernel for the probe of the accelerator."""
    return bake(recipe(), say=say)
