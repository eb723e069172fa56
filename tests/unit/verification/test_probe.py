"""A port answers when bytes were read, by itself or when it is spoken to."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from smc.center.verification import probe as subject
from smc.center.verification.probe import Answer, free_port, probe


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "HEAR_SECONDS", 0.2)
    monkeypatch.setattr(subject, "CONNECT_SECONDS", 0.5)


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_a_greeting_is_an_answer() -> None:
    with server(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\nmore")) as port:
        assert probe("127.0.0.1", port) == (Answer.ANSWERS, "SSH-2.0-OpenSSH_9.2p1")


def test_who_waits_to_be_spoken_to_answers_the_knock() -> None:
    def talk(connection: socket.socket) -> None:
        assert connection.recv(100).startswith(b"HEAD / ")
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    with server(talk) as port:
        assert probe("127.0.0.1", port) == (Answer.ANSWERS, "HTTP/1.0 200 OK")


def test_a_connection_without_a_byte_is_no_answer() -> None:
    done = threading.Event()

    def talk(_connection: socket.socket) -> None:
        done.wait(5)

    with server(talk) as port:
        assert probe("127.0.0.1", port) == (Answer.SILENT, "")
        done.set()


def test_a_connection_that_is_closed_at_once_says_that_somebody_is_there() -> None:
    with server(lambda _connection: None) as port:
        assert probe("127.0.0.1", port) == (Answer.CLOSED, "")


def test_a_port_of_this_machine_that_nobody_has_says_nothing_of_the_instance() -> None:
    assert probe("127.0.0.1", free_port()) == (Answer.SILENT, "")


def test_what_cannot_be_printed_is_left_out_of_a_banner() -> None:
    with server(lambda connection: connection.sendall(b"\x15\x03\x01\x00\x02hello\x1b[31m\n")) as port:
        assert probe("127.0.0.1", port) == (Answer.ANSWERS, "hello[31m")
