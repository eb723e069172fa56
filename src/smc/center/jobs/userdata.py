"""What an intermediate instance runs at its first boot: fetch the agent, check it, start it as receiver.

It holds no key: a URL, the CA's fingerprint, the agent's hash, and a ticket that is good once and not long.
The same run gives the same bytes each time, for a repeated request must carry the same values.
"""

import shlex

from smc.base.errors import Broken
from smc.base.secret import Secret
from smc.wire.orders import AGENT_PATH

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


def user_data(*, host: str, port: int, fingerprint: str, agent_sha256: str, ticket: Secret) -> str:
    """Plain text; `host` is the center's, or `gateway`."""
    text = SCRIPT
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
