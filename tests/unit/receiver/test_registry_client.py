"""The receiver's client of registries against one that closes connections which idle, as all of them do."""

import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from smc.base.errors import Transient
from smc.receiver.containers.layers import AT_ONCE, write_layers
from smc.receiver.containers.registry import CHUNK, Registry
from smc.receiver.containers.tree import Member


class Closing(http.server.BaseHTTPRequestHandler):
    """Says nothing of it: the connection is simply closed after each answer, as after a long pause."""

    protocol_version = "HTTP/1.1"
    held = bytearray()
    connections = 0

    def setup(self) -> None:
        type(self).connections += 1
        super().setup()

    def do_POST(self) -> None:
        self._answer(202, {"Location": "/v2/team/copy/blobs/uploads/1"})

    def do_PATCH(self) -> None:
        first = int(self.headers["Content-Range"].partition("-")[0])
        assert first == len(self.held)
        type(self).held += self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(202, {"Location": self.path})

    def do_PUT(self) -> None:
        self._answer(201, {})

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True


class Dropping(http.server.BaseHTTPRequestHandler):
    """Answers so many requests of a connection, and closes it at the next one without an answer."""

    protocol_version = "HTTP/1.1"
    answers = 0
    asked = 0

    def setup(self) -> None:
        self.left = self.answers
        super().setup()

    def do_POST(self) -> None:
        type(self).asked += 1
        self.close_connection = not self.left
        if self.left:
            self.left -= 1
            self.send_response(202)
            self.send_header("Location", "/v2/team/copy/blobs/uploads/1")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def url() -> Iterator[str]:
    Closing.held, Closing.connections = bytearray(), 0
    with serving(Closing) as url:
        yield url


@pytest.mark.parametrize(("answers", "asked"), [(1, 3), (0, 1)], ids=["kept", "new"])
def test_what_a_connection_takes_with_it_is_asked_once_more_where_it_was_a_kept_one(
    monkeypatch: pytest.MonkeyPatch, answers: int, asked: int
) -> None:
    monkeypatch.setattr(Dropping, "answers", answers)
    monkeypatch.setattr(Dropping, "asked", 0)
    with serving(Dropping) as url, Registry(url, "team/copy") as registry:
        if answers:
            registry.upload()
            registry.upload()
        else:
            with pytest.raises(Transient):
                registry.upload()
    assert Dropping.asked == asked


def test_a_blob_goes_on_over_a_new_connection_when_the_registry_has_closed_the_old_one(url: str) -> None:
    data = bytes(range(256)) * (2 * CHUNK // 256) + b"end"
    with Registry(url, "team/copy") as registry:
        upload = registry.upload()
        upload.write(data)
        upload.finish("sha256:0")
    assert bytes(Closing.held) == data
    assert Closing.connections == 5, "one for each request"


@pytest.fixture
def zeros() -> Member:
    info = tarfile.TarInfo("hole.img")
    info.size = 8 * AT_ONCE
    return Member(b"hole.img", info, io.BytesIO(bytes(info.size)))


class Kept:
    def write(self, data: bytes) -> None:
        pass

    def finish(self, digest: str) -> None:
        pass


def test_a_large_file_is_told_of_and_can_be_given_up_while_it_is_read(zeros: Member) -> None:
    told: list[int] = []
    assert list(write_layers([zeros], Kept, check=told.append))
    steps = [after - before for before, after in pairwise(told)]
    assert max(steps) <= AT_ONCE
    assert told[-1] > 8 * AT_ONCE


def test_giving_up_ends_the_work_within_a_file(zeros: Member) -> None:
    def enough(read: int) -> None:
        if read > 2 * AT_ONCE:
            raise KeyError("enough")

    with pytest.raises(KeyError):
        list(write_layers([zeros], Kept, check=enough))
    assert zeros.content is not None and zeros.content.closed
