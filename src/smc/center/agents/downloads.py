"""What a source fetches before it can check anything: the CA and the agent file.

The agent is handed out under its hash. A line that an operator has copied, and the user data of an instance
that boots, name the hash that was current when they were made: that file stays here when a newer one comes.
"""

import hashlib
import re
import shutil
import tempfile
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from smc.base.errors import UserError
from smc.center.agents.exchange import refuse
from smc.center.trust.center_ca import CenterTrust
from smc.wire.orders import AGENT_PATH, CA_PATH

HASH = re.compile(r"[0-9a-f]{64}")
KEPT = 10  # files of 20 MB; an activation code lives 90 days


class AgentFile:
    """The agent as it is built now, and on the `shelf` each one that was handed out."""

    def __init__(self, file: Path, shelf: Path) -> None:
        self.file = file
        self._shelf = shelf
        self._known: tuple[tuple[int, int], str] = (0, 0), ""

    def sha256(self) -> str:
        """Of the current agent, which can be fetched under this hash from now on.

        Raises `UserError` (`Agent.NotBuilt`).
        """
        try:
            stat = self.file.stat()
            state = stat.st_mtime_ns, stat.st_size
            if self._known[0] != state or not self.kept(self._known[1]).exists():
                self._known = state, self._keep()
        except OSError as e:
            raise UserError(
                f"There is no agent file at {self.file}.",
                code="Agent.NotBuilt",
                hint="Build it with `make agent`, or start the center with --agent-file.",
            ) from e
        return self._known[1]

    def kept(self, sha256: str) -> Path:
        return self._shelf / sha256

    def _keep(self) -> str:
        """A copy is hashed, not the original: nobody changes it meanwhile."""
        self._shelf.mkdir(exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=self._shelf) as folder:
            copy = Path(folder) / "copy"
            shutil.copyfile(self.file, copy)
            with copy.open("rb") as opened:
                sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
            copy.rename(self.kept(sha256))
        found = [path for path in self._shelf.iterdir() if HASH.fullmatch(path.name)]
        for old in sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)[KEPT:]:
            old.unlink(missing_ok=True)
        return sha256


def routes(trust: CenterTrust, agent: AgentFile) -> list[Route]:
    async def ca(_request: Request) -> Response:
        return Response(trust.ca, media_type="application/x-pem-file")

    async def agent_file(request: Request) -> Response:
        sha256 = request.path_params["sha256"]
        found = agent.kept(sha256) if HASH.fullmatch(sha256) else None
        if found is None or not found.exists():
            return refuse(
                UserError(
                    "This version of the agent is not here any more.",
                    code="Agent.NotFound",
                    hint="Make a new import command.",
                )
            )
        return FileResponse(found, media_type="application/octet-stream", filename="smc-agent")

    return [Route(CA_PATH, ca), Route(f"{AGENT_PATH}/{{sha256}}", agent_file)]
