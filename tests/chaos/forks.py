"""Starts the centers of the chaos tests by fork: what they import is imported once, each is its own process.

    python -m tests.chaos.forks

Each line on standard input is JSON: a module, its words, a file for what it says and one for its errors. The
answer is a line with the exit status as `subprocess` has it, negative for a signal.
"""

import importlib
import json
import os
import runpy
import signal
import sys

SECONDS = 120  # then it is killed, and the test fails


def main() -> None:
    for line in sys.stdin:
        module, words, said, errors = json.loads(line)
        importlib.import_module(module)
        child = os.fork()
        if child == 0:
            become(module, words, said, errors)
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def become(module: str, words: list[str], said: str, errors: str) -> None:
    """From here on this process is `python -m MODULE WORDS`."""
    signal.alarm(SECONDS)
    for place, file in enumerate((os.devnull, said, errors)):
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, place)
        os.close(handle)
    sys.argv = [module, *words]
    del sys.modules[module]  # it runs as the main program, of what it imports nothing does again
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
