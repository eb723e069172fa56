"""After the boot: the new instance asked from outside, and from inside over ssh."""

import socket
import urllib.error
import urllib.request

from demo.ssh import Shell
from demo.stages import Failed

BANNER_SECONDS = 5.0
FACTS = {  # what must be the same on source and instance, by the command that tells it
    "hostname": "cat /etc/hostname",
    "users": "cat /etc/passwd /etc/shadow /etc/group",
    "host keys": "cat /etc/ssh/ssh_host_*_key.pub",
    "machine id": "cat /etc/machine-id",
    "mounted disks": "findmnt -rn -o TARGET,UUID / && findmnt -rn -o TARGET,UUID /srv/data",
}


def banner(port: int) -> str:
    """What sshd says first; "" while nobody answers (QEMU accepts connections before the guest listens)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=BANNER_SECONDS) as connection:
            connection.settimeout(BANNER_SECONDS)
            return connection.recv(64).decode(errors="replace").strip()
    except OSError:
        return ""


def page(port: int) -> bytes:
    """The web server's page; b"" while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=BANNER_SECONDS) as answer:
            body: bytes = answer.read()
            return body
    except (urllib.error.URLError, OSError):
        return b""


def facts(shell: Shell) -> dict[str, str]:
    return {name: shell.run(command, timeout=60) for name, command in FACTS.items()}


def same_machine(source: dict[str, str], instance: dict[str, str]) -> list[str]:
    """Names of the facts that hold on both. Raises `Failed` naming the first that does not."""
    for name, value in source.items():
        if instance[name] != value:
            raise Failed(
                f"{name} differ: the source has {value[:200]!r}, the instance {instance[name][:200]!r}"
            )
    return list(source)


def without_agent(shell: Shell) -> None:
    """Raises `Failed` when anything of the agent is on the copy."""
    traces = shell.run(
        "ls -d /smc /etc/systemd/system/smc-agent.service 2>/dev/null; pgrep -a smc-agent",
        timeout=60,
        ok=(0, 1, 2),
    )
    if traces.strip():
        raise Failed(f"the agent is on the copy: {traces.strip()}")
