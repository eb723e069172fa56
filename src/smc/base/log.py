"""One log shape for every program: UTC time, level, logger, message; secrets never reach it."""

import logging
import logging.handlers
import sys
import time
from pathlib import Path

FORMAT = "%(asctime)sZ %(levelname)s %(name)s: %(message)s"
FILE_BYTES = 10 << 20  # then it is kept as `.1`, in place of the one before


def set_up(*, file: Path | None = None, level: int | str = logging.INFO, echo: bool = True) -> None:
    """Send all loggers of this process to stderr (`echo`), and to `file` as well when it is given."""
    formatter = logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)] if echo else []
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        kept = logging.handlers.RotatingFileHandler(file, maxBytes=FILE_BYTES, backupCount=1)
        handlers.append(kept)
    for handler in handlers:
        handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(level)
