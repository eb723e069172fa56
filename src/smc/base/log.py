"""One log shape for every program: UTC time, level, logger, message; secrets never reach it."""

import logging
import sys
import time
from pathlib import Path

FORMAT = "%(asctime)sZ %(levelname)s %(name)s: %(message)s"


def set_up(*, file: Path | None = None, level: int = logging.INFO) -> None:
    """Send all loggers of this process to stderr, and to `file` as well when it is given."""
    formatter = logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(file))
    for handler in handlers:
        handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(level)
