"""Where calls to the memory cloud are handled: one at a time, hooked, once for a token, written down."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from smc.base.errors import Broken, UserError
from smc.base.files import write_atomic
from smc.cloud.driver import Kind
from smc.cloud.memory_world import GONE, Given, Thing, World


def no_hook(_when: str, _call: str) -> None:
    pass


class Desk:
    """`hook(when, call)` runs with "before" and "after" around every call."""

    def __init__(self, file: Path | None, *, patient: bool, hook: Callable[[str, str], None]) -> None:
        self._file = file
        self._patient = patient
        self.lock = threading.RLock()
        self.world = World()
        self.hook = hook
        if file is not None and file.exists():
            self.world = msgspec.json.decode(file.read_bytes(), type=World)

    @contextmanager
    def call(self, name: str) -> Iterator[World]:
        self.hook("before", name)
        with self.lock:
            yield self.world
            self.save()
        self.hook("after", name)

    def make(self, call: str, token: str, values: object, thing: Thing) -> str:
        """Add `thing` once for a token; what was done is written down before anybody is told."""
        return self.once(call, token, [values, thing.tags], lambda: self.world.add(thing))

    def once(self, call: str, token: str, values: object, do: Callable[[], str]) -> str:
        """What `do` gives, the same again for the same token."""
        request = hashlib.sha256(msgspec.json.encode([call, values])).hexdigest()
        with self.call(call):
            given = self.world.tokens.get(token)
            if given is None:
                given = self.world.tokens[token] = Given(request=request, id=do())
            if given.request != request:
                raise Broken(f"token {token} came with other values", code="IdempotentParameterMismatch")
            return given.id

    def look(self, kind: Kind, resource: str) -> Thing:
        """Raises `UserError` (`InvalidResource.NotFound`)."""
        with self.lock:
            thing = self.seen(resource)
            if thing is None or thing.kind is not kind:
                raise UserError(f"{kind.value} {resource} does not exist", code="InvalidResource.NotFound")
            return thing

    def seen(self, resource: str) -> Thing | None:
        """The thing as it is now; asking lets it pass to its next state."""
        thing = self.world.things.get(resource)
        if thing is None:
            return None
        if not self._patient:
            self.world.step(thing)
        return None if thing.state == GONE else thing

    def save(self) -> None:
        if self._file is not None:
            write_atomic(self._file, msgspec.json.encode(self.world))
