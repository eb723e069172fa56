"""A web server and a mail server on loopback that keep what they are sent."""

import base64
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Hook:
    """`status` is what it answers; `got` the bodies it was sent, whatever it answered."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.accepted: list[dict[str, Any]] = []
        self.port = 0


@contextmanager
def web_server(port: int = 0) -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.got.append(body)
            hook.paths.append(self.path)
            if hook.status == 200:
                hook.accepted.append(body)
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with _serving(HTTPServer(("127.0.0.1", port), Handler)) as hook.port:
        yield hook


class Mails:
    """`got` are whole messages with their envelope; with a `password` only who knows it may send."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.got: list[tuple[str, list[str], str]] = []
        self.port = 0


@contextmanager
def mail_server(password: str = "") -> Iterator[Mails]:
    """SMTP (RFC 5321) as far as a client that is happy needs it, with AUTH PLAIN and LOGIN (RFC 4954)."""
    mails = Mails(password)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.sender, self.receivers = "", list[str]()
            self.known = not mails.password
            self.say("220 loopback")
            while line := self.rfile.readline().decode().strip():
                if self.follow(line) is False:
                    return

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def follow(self, line: str) -> bool:
            verb = line.split(maxsplit=1)[0].upper()
            if verb == "EHLO":
                self.wfile.write(b"250-loopback\r\n250 AUTH PLAIN LOGIN\r\n")
            elif verb == "AUTH":
                self.authenticate(line.split()[1:])
            elif verb == "MAIL" and not self.known:
                self.say("530 authentication required")
            elif verb == "MAIL":
                self.sender = line.split(":", 1)[1]
                self.say("250 ok")
            elif verb == "RCPT":
                self.receivers.append(line.split(":", 1)[1])
                self.say("250 ok")
            elif verb == "DATA":
                self.take()
            else:
                self.say("221 bye" if verb == "QUIT" else "250 ok")
            return verb != "QUIT"

        def authenticate(self, words: list[str]) -> None:
            if words[0].upper() == "PLAIN":
                text = base64.b64decode(words[1]).decode().split("\0")[2]
            else:
                if len(words) < 2:
                    self.ask("Username:")
                text = self.ask("Password:")
            self.known = text == mails.password
            self.say("235 ok" if self.known else "535 wrong")

        def ask(self, what: str) -> str:
            self.say(f"334 {base64.b64encode(what.encode()).decode()}")
            return base64.b64decode(self.rfile.readline()).decode()

        def take(self) -> None:
            self.say("354 go on")
            lines = []
            while (line := self.rfile.readline().decode()) != ".\r\n":
                lines.append(line)
            mails.got.append((self.sender, self.receivers, "".join(lines)))
            self.say("250 taken")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with _serving(server) as mails.port:
        yield mails


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
