"""What a source fetches before it can check anything: the CA and the agent file."""

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from smc.base.errors import UserError
from smc.center.agents.exchange import refuse
from smc.center.trust.center_ca import CenterTrust
from smc.wire.orders import AGENT_PATH, CA_PATH


class AgentFile:
    """The agent as it is handed out; its hash goes into the import command."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._known: tuple[tuple[int, int], str] = (0, 0), ""

    def sha256(self) -> str:
        """Raises `UserError` (`Agent.NotBuilt`)."""
        try:
            stat = self.file.stat()
            state = stat.st_mtime_ns, stat.st_size
            if self._known[0] != state:
                with self.file.open("rb") as opened:
                    self._known = state, hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as e:
            raise UserError(
                f"There is no agent file at {self.file}.",
                code="Agent.NotBuilt",
                hint="Build it with `make agent`, or start the center with --agent-file.",
            ) from e
        return self._known[1]


def routes(trust: CenterTrust, agent: AgentFile) -> list[Route]:
    async def ca(_request: Request) -> Response:
        return Response(trust.ca, media_type="application/x-pem-file")

    async def agent_file(_request: Request) -> Response:
        try:
            agent.sha256()
        except UserError as e:
            return refuse(e)
        return FileResponse(agent.file, media_type="application/octet-stream", filename="smc-agent")

    return [Route(CA_PATH, ca), Route(AGENT_PATH, agent_file)]
