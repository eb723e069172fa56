"""qemu-img without the program, on small text files."""

import shutil
from pathlib import Path

from smc.base.run import Arg, Output


class FakeQemuImg:
    """`create` writes what was asked, `convert` copies; `fail` names a verb that finds no space."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.fail = ""

    def __call__(self, *argv: Arg, timeout: float, stdin: str = "", ok: object = (0,)) -> Output:
        words = [str(word) for word in argv]
        self.calls.append(words)
        verb = words[1]
        if verb == self.fail:
            raise OSError(28, "No space left on device")
        if verb == "create":
            Path(words[-2]).write_text(f"{' '.join(words[1:-2])} {words[-1]}")
        elif verb == "convert":
            shutil.copyfile(words[-2], words[-1])
        elif verb == "info":
            return Output('{"virtual-size": 2147483649, "format": "qcow2"}', "", 0)
        return Output("", "", 0)
