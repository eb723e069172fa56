"""How the sender reaches the receiver of its run: one address for the control connection and the streams."""

from dataclasses import dataclass

from smc.wire.channel import Channel, connect
from smc.wire.stream import Opening, SendingStream, open_stream
from smc.wire.tls import Identity


@dataclass(frozen=True, slots=True)
class Route:
    """`proxy` as in `wire.dial`: "" goes straight, None asks the environment."""

    host: str
    port: int
    identity: Identity
    proxy: str | None = ""

    def connect(self) -> Channel:
        """Raises `Transient` when the receiver cannot be reached, `WireError` when it is not the one."""
        return connect(self.host, self.port, self.identity, proxy=self.proxy)

    def open_stream(self, opening: Opening, secure: bool) -> SendingStream:
        return open_stream(self.host, self.port, self.identity, opening, secure=secure, proxy=self.proxy)
