"""What the agent leaves on a source, and what must therefore not be on a copy of it."""

AGENT_FOLDER = "/smc"
AGENT_SERVICE = "smc-agent"
AGENT_UNIT = f"/etc/systemd/system/{AGENT_SERVICE}.service"
AGENT_WANTS = f"/etc/systemd/system/multi-user.target.wants/{AGENT_SERVICE}.service"
AGENT_INIT_SCRIPT = f"/etc/init.d/{AGENT_SERVICE}"
AGENT_RUNTIMES = (  # where it unpacks itself when programs may not run in its folder (stub.sh)
    "/var/lib/smc-runtime",
    "/opt/smc-runtime",
    "/usr/local/lib/smc-runtime",
    "/run/smc-runtime",
    "/root/.smc-runtime",
    "/tmp/smc-runtime",  # noqa: S108 - the owner is checked
)

AGENT_TRACES = (  # absolute on the copy's own root; links before what they point at
    AGENT_WANTS,
    AGENT_UNIT,
    *(
        f"/etc/rc{level}.d/{kind}{AGENT_SERVICE}"
        for level in "0123456"
        for kind in ("S20", "S99", "K01", "K20")
    ),
    AGENT_INIT_SCRIPT,
    *AGENT_RUNTIMES,
    AGENT_FOLDER,
)
