"""An application served on a port by a thread of this process, for as long as a `with` block lasts."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from smc.base.errors import Broken

START_SECONDS = 10.0


@contextmanager
def serving(app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Gives the port when the application answers; port 0 takes a free one.

    Raises `Broken` (`Serving.NotStarted`) when it does not start.
    """
    with socket.create_server((host, port)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],), name="serving")
        thread.start()
        try:
            limit = time.monotonic() + START_SECONDS
            while not server.started:
                if not thread.is_alive() or time.monotonic() > limit:
                    raise Broken(f"the server on port {port} did not start", code="Serving.NotStarted")
                time.sleep(0.005)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()
