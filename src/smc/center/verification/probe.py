"""Whether a port answers: bytes were read. That it takes connections is no answer: QEMU does so by itself."""

import contextlib
import socket
from collections.abc import Callable
from enum import Enum

CONNECT_SECONDS = 5.0
HEAR_SECONDS = 4.0  # an SSH server greets at once, a busy one within seconds
KNOCK = b"HEAD / HTTP/1.0\r\n\r\n"  # for those that wait to be spoken to; any protocol answers with an error
LONGEST_BANNER = 200


class Answer(Enum):
    ANSWERS = "answers"
    CLOSED = "closed"  # the machine is there and takes no connections at this port
    SILENT = "silent"


Probe = Callable[[str, int], tuple[Answer, str]]


def probe(host: str, port: int) -> tuple[Answer, str]:
    """With the first line that was read."""
    try:
        connection = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
    except ConnectionRefusedError:
        # of a port of this machine it says that nothing is forwarded, and so nothing of the instance
        return (Answer.SILENT if host in ("127.0.0.1", "::1") else Answer.CLOSED), ""
    except OSError:
        return Answer.SILENT, ""
    with connection:
        connection.settimeout(HEAR_SECONDS)
        for knock in (b"", KNOCK):
            try:
                if knock:
                    connection.sendall(knock)
                heard = connection.recv(LONGEST_BANNER)
            except TimeoutError:
                continue
            except OSError:
                return Answer.CLOSED, ""
            if not heard:
                return Answer.CLOSED, ""
            return Answer.ANSWERS, _first_line(heard)
    return Answer.SILENT, ""


def free_port() -> int:
    """Of this machine's loopback."""
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _first_line(heard: bytes) -> str:
    lines = heard.decode(errors="replace").splitlines()
    line = lines[0] if lines else ""
    return "".join(letter for letter in line if letter.isprintable())
