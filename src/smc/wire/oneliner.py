"""The line that an operator pastes into a source's shell: fetch the agent, check it, import the machine."""

import shlex

from smc.wire.orders import AGENT_PATH

# TLS vouches for nothing here: the file is run only if it has the pinned hash, and the agent then
# talks only to the holder of the CA with the pinned fingerprint. The folder need not allow execution:
# the file is read by sh and unpacks itself where programs may run.
SCRIPT = """
set -eu; umask 077;
[ "$(id -u)" = 0 ] || {{ echo "smc: importing a server needs root: run this with sudo" >&2; exit 1; }};
d=$(mktemp -d "${{TMPDIR:-/tmp}}/smc.XXXXXX"); trap 'rm -rf "$d"' EXIT; trap 'exit 130' INT TERM HUP;
f=$d/smc-agent; u={address};
no() {{ echo "smc: $u gives no agent: is it reachable? If so, make a new import command." >&2; exit 1; }};
if command -v curl >/dev/null; then curl -fsSk --connect-timeout 15 --retry 3 -o "$f" "$u" || no;
elif command -v wget >/dev/null; then wget -q -T 30 -t 3 --no-check-certificate -O "$f" "$u" || no;
else echo "smc: neither curl nor wget is here: install one of them and run this again" >&2; exit 1; fi;
echo "{sha256} *$f" | sha256sum -c >/dev/null 2>&1 ||
{{ echo "smc: what $u gave is not the agent; nothing was run. Make a new import command." >&2; exit 1; }};
sh "$f" import --center {url} --ca-fingerprint {fingerprint} --token-id {token_id} --token-code {token_code}
"""


def linux_command(
    *, host: str, port: int, ca_fingerprint: str, agent_sha256: str, token_id: str, token_code: str
) -> str:
    """One line for any POSIX shell, run as root. `host` and `port` are the center's agent address."""
    url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    script = SCRIPT.format(
        address=shlex.quote(f"{url}{AGENT_PATH}/{agent_sha256}"),
        sha256=agent_sha256,
        url=shlex.quote(url),
        fingerprint=shlex.quote(ca_fingerprint),
        token_id=shlex.quote(token_id),
        token_code=shlex.quote(token_code),
    )
    return f"sh -c {shlex.quote(' '.join(script.split()))}"
