"""One command to a running QEMU over its monitor socket (QMP).

QEMU serves one connection at a time, so each command connects, asks and leaves. Synchronous: call it from
a thread that runs no event loop.
"""

import asyncio
from pathlib import Path

from qemu.qmp import ExecuteError, QMPClient, QMPError

from smc.base.errors import Broken, Transient

SECONDS = 10.0  # QEMU answers in milliseconds, unless it starves or another connection holds the monitor


def execute(socket: Path, command: str, **arguments: object) -> object:
    """What the command returned. Raises `Transient` when nobody answers, `Broken` when QEMU refuses."""
    try:
        return asyncio.run(_execute(socket, command, arguments))
    except ExecuteError as e:
        raise Broken(f"QEMU refused {command}: {e.error.desc}", code="Qemu.Refused") from e
    except (QMPError, TimeoutError) as e:
        raise Transient(f"The monitor {socket} does not answer: {e}", code="Qemu.NoAnswer") from e


def human(socket: Path, line: str) -> str:
    """A command of QEMU's human monitor, for what QMP lacks; its answer is prose, empty when all is well."""
    answer = execute(socket, "human-monitor-command", **{"command-line": line})
    return str(answer).strip()


async def _execute(socket: Path, command: str, arguments: dict[str, object]) -> object:
    client = QMPClient()
    async with asyncio.timeout(SECONDS):
        await client.connect(str(socket))
        try:
            answer: object = await client.execute(command, arguments)
        finally:
            await client.disconnect()
    return answer
