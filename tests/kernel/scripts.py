"""Scripts of a source's owner around the last pass of a copy, run as the agent runs them."""

import threading
from pathlib import Path

from smc.agent.home import Home
from smc.agent.hooks import Hooks, Stage, explain
from smc.agent.talk import Quiet, Said, Told


class Scripts:
    """`told` is what the job's log would have, `ran` what the scripts wrote down of themselves."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "smc")
        self.home.create()
        explain(self.home)
        self.told: list[tuple[str, str]] = []
        self.stopping = threading.Event()
        self.hooks = Hooks(
            self.home, "j-1.1", self.stopping, lambda sentence, code: self.told.append((sentence, code))
        )
        self.record = folder / "record"
        self.quiet = Quiet(self._answer)

    @property
    def ran(self) -> list[str]:
        return self.record.read_text().splitlines() if self.record.exists() else []

    def add(self, stage: str, name: str, text: str = "", mode: int = 0o700) -> Path:
        """It writes a line of its own down and then does `text`."""
        path = self.home.hooks / stage / name
        path.write_text(f"#!/bin/sh\necho $SMC_STAGE {name} $SMC_RUN $SMC_RESULT >>{self.record}\n{text}\n")
        path.chmod(mode)
        return path

    def _answer(self, said: Said) -> None:
        if said.stage is Stage.BEFORE:
            self.quiet.answers.put(Told(stage=said.stage, failure=self.hooks.quiet()))
        elif said.stage is Stage.AFTER:
            self.hooks.resume(said.result)
            self.quiet.answers.put(Told(stage=said.stage))
