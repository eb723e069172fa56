"""What an intermediate instance runs at its first boot: fetch the agent, check it, start it as receiver.

It holds no key: a URL, the CA's fingerprint, the agent's hash, and a ticket that is good once and not long.
The same run gives the same bytes each time, for a repeated request must carry the same values.
"""

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from smc.base.errors import Broken
from smc.base.secret import Secret
from smc.model.plan import Plan
from smc.wire.orders import AGENT_PATH


class Tool(NamedTuple):
    """A program, and the package of Debian and Ubuntu that has it."""

    program: str
    package: str


TOOLS = {  # of a filesystem
    "xfs": Tool("mkfs.xfs", "xfsprogs"),
    "btrfs": Tool("mkfs.btrfs", "btrfs-progs"),
    "vfat": Tool("mkfs.vfat", "dosfstools"),
}
LVM = Tool("lvm", "lvm2")
GATEWAY = "gateway"
LARGEST = 16 * 1024  # bytes; the limit of ECS

# curl and wget cannot pin a fingerprint: the file is checked by its hash instead (contracts, Trust)
SCRIPT = """\
#!/bin/sh
# Starts the receiver of a server migration. Its output is the machine's console.
set -eu
umask 077
host=@HOST@
sha256=@SHA256@
agent=/usr/local/bin/smc-agent
ticket=/etc/smc/ticket
if [ "$host" = gateway ]; then
    host=$(ip route show default | sed -n 's/^default via \\([^ ]*\\).*/\\1/p' | head -n 1)
fi
center="https://$host:@PORT@"
matches() { [ -f "$1" ] && echo "$sha256  $1" | sha256sum -c - >/dev/null 2>&1; }
fetch() {
    if command -v curl >/dev/null 2>&1; then
        curl -fsSk --connect-timeout 10 --max-time 600 -o "$2" "$1"
    else
        wget -q --no-check-certificate -T 30 -O "$2" "$1"
    fi
}
tries=0
until matches "$agent"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 60 ]; then
        echo "smc: the agent could not be fetched from $center" >&2
        exit 1
    fi
    mkdir -p "${agent%/*}"
    if fetch "$center@PATH@" "$agent.new" && matches "$agent.new"; then
        mv "$agent.new" "$agent"
    else
        sleep 5
    fi
done
chmod 0755 "$agent"
bring() {  # PROGRAM PACKAGE: nothing where the image has it
    if command -v "$1" >/dev/null 2>&1; then return; fi
    echo "smc: this image has no $1: installing $2"
    [ -n "${looked:-}" ] || apt -q update || true
    looked=yes
    apt -q -y -o DPkg::Lock::Timeout=240 --no-install-recommends install "$2" ||
        echo "smc: $2 could not be installed" >&2
}
apt() (  # what it makes is for all to read, as its own user has to
    umask 022
    DEBIAN_FRONTEND=noninteractive timeout 300 apt-get $*
)
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
@TOOLS@
mkdir -p "${ticket%/*}"
[ -s "$ticket" ] || echo @TICKET@ >"$ticket"
cat >/etc/systemd/system/smc-receiver.service <<UNIT
[Unit]
Description=Server migration receiver
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart=$agent receive --center $center --ca-fingerprint @FINGERPRINT@ --ticket-file $ticket
Restart=always
RestartSec=3

[Install]
WantedBy=multi-user.target
UNIT
chmod 0644 /etc/systemd/system/smc-receiver.service
systemctl daemon-reload
systemctl enable --now --no-block smc-receiver.service
"""


def tools_of(plan: Plan) -> tuple[Tool, ...]:
    """What lays the disks out, beside what every Debian and Ubuntu has."""
    kinds = {part.filesystem for disk in plan.disks for part in disk.partitions}
    found = {TOOLS[kind] for kind in kinds if kind in TOOLS}
    return tuple(sorted(found | ({LVM} if any(disk.group for disk in plan.disks) else set())))


def user_data(
    *,
    host: str,
    port: int,
    fingerprint: str,
    agent_sha256: str,
    ticket: Secret,
    tools: Sequence[Tool] = (),
) -> str:
    """Plain text; `host` is the center's, or `gateway`.

    A tool that the image lacks is installed by its own apt, from where that is set up to look. When this does
    not work the receiver says which program is missing, as soon as it needs it.
    """
    lines = "\n".join(shlex.join(("bring", tool.program, tool.package)) for tool in tools)
    text = SCRIPT.replace("@TOOLS@\n", f"{lines}\n" if lines else "")
    for name, value in (
        ("HOST", f"[{host}]" if ":" in host else host),
        ("PORT", str(port)),
        ("PATH", f"{AGENT_PATH}/{agent_sha256}"),
        ("SHA256", agent_sha256),
        ("FINGERPRINT", fingerprint),
        ("TICKET", ticket.reveal()),
    ):
        text = text.replace(f"@{name}@", shlex.quote(value))
    if len(text.encode()) > LARGEST:
        raise Broken("the user data of the intermediate instance is too long")
    return text
