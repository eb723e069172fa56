"""Rings of tests by folder and marker; see docs/design/README.md, Tests."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import uvicorn.server


async def _sleep(seconds: float) -> None:
    await asyncio.sleep(seconds / 10)


@pytest.fixture(autouse=True, scope="session")
def _short_ticks() -> Iterator[None]:
    """uvicorn looks at its end in tenths of a second: a fifth of one for each test with a server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uvicorn.server, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": _sleep}))
        yield
