"""The process that works on a run, as the agent sees it: started, heard, ended.

One socket joins the two, with the lines of talk.py. When the agent dies, the process meets the end of the
stream and dies too.
"""

import logging
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from smc.agent.child import Child, end, output_file
from smc.agent.home import Home, own_file
from smc.agent.hooks import FAILED, Hooks, Stage
from smc.agent.replicate import failed, replicate
from smc.agent.talk import Job, Quiet, Said, Told
from smc.agent.wish import Wish
from smc.base import log as logs
from smc.base.errors import CommandFailed, UserError
from smc.base.process import allow_many_files
from smc.base.run import spawn
from smc.model.codec import decode, encode
from smc.transfer.give_back import keep_what_is_loaded
from smc.wire.backoff import delays
from smc.wire.orders import Event, EventKind, Order

log = logging.getLogger(__name__)

VERB = "replicate"
HEAR_SECONDS = 0.2  # between two looks at whether the process is to be told something
DEATHS = 5  # so many times in a row the process may die without a word before the run has failed
LONG_LIFE_SECONDS = 300.0  # a process that lived so long did work: its death begins a new row
NICENESS = 10  # a copy takes what the source's own programs leave; the disk's scheduler goes by it too
OOM_SCORE = "500"  # when memory runs out the kernel ends the copying, which goes on later, and nothing else
LASTING = frozenset({EventKind.FINISHED, EventKind.FAILED})


Start = Callable[[int], Child]  # with the descriptor of its end of the socket


class Worker:
    """Keeps a process at work on one run until it has finished or failed, or `stop` is called."""

    def __init__(
        self,
        job: Job,
        start: Start,
        emit: Callable[[Event], None],
        home: Home,
        waits: Iterable[float] | None = None,
    ) -> None:
        self._job = job
        self._start = start
        self._emit = emit
        self._waits = iter(delays() if waits is None else waits)
        self._stopping = threading.Event()
        self._hooks = Hooks(home, job.order.run, self._stopping, self._note)
        self._thread = threading.Thread(target=self._keep_at_it, name=job.order.run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns when the process is gone."""
        self._stopping.set()
        self._thread.join()

    def turn(self, order: Order) -> None:
        """From now on, in this life of the process and in every later one."""
        self._job = msgspec.structs.replace(self._job, order=order)

    def _keep_at_it(self) -> None:
        deaths = 0
        while deaths < DEATHS:
            began = time.monotonic()
            if self._work() or self._stopping.is_set():
                return
            deaths = 1 if time.monotonic() - began >= LONG_LIFE_SECONDS else deaths + 1
            log.warning("the process of run %s ended without a word (%d)", self._job.order.run, deaths)
            self._stopping.wait(next(self._waits))
        self._emit(self._failure("the agent's process ends again and again before it has done much"))

    def _work(self) -> bool:
        """One life of the process; whether it said how the run went."""
        mine, its = socket.socketpair()
        with mine, its:
            try:
                child = self._start(its.fileno())
            except (CommandFailed, OSError) as e:
                log.error("the process of run %s did not start: %s", self._job.order.run, e)
                return False
            its.close()
            try:
                job = self._job
                with suppress(OSError):
                    mine.sendall(encode(job) + b"\n")
                return self._hear(mine, job.order)
            finally:
                end(child)  # one that has ended has left nothing but what it started
                self._hooks.resume(FAILED)  # if it could not say so itself

    def _hear(self, mine: socket.socket, told: Order) -> bool:
        """`told` is what the process was told to do."""
        mine.settimeout(HEAR_SECONDS)
        lines = b""
        done = False
        while not self._stopping.is_set():
            if (late := self._hooks.overdue()) is not None:
                self._emit(failed(told.run, late))
                return True
            if (order := self._job.order) != told:
                told = order
                _tell(mine, Told(order=order))
            try:
                data = mine.recv(1 << 16)
            except TimeoutError:
                continue
            except ConnectionResetError:  # it died with something unread
                break
            if not data:
                break
            *whole, lines = (lines + data).split(b"\n")
            for line in whole:
                said = decode(line, Said)
                if said.stage is not None:
                    _tell(mine, self._at(said.stage, said.result))
                if said.event is not None:
                    self._emit(said.event)
                    done = done or said.event.kind in LASTING
        return done

    def _at(self, stage: Stage, result: str) -> Told:
        if stage is Stage.BEFORE:
            return Told(stage=stage, failure=self._hooks.quiet())
        self._hooks.resume(result)
        return Told(stage=stage)

    def _note(self, sentence: str, code: str) -> None:
        log.info("run %s: %s", self._job.order.run, sentence)
        self._emit(Event(run=self._job.order.run, kind=EventKind.NOTE, code=code, message=sentence))

    def _failure(self, message: str) -> Event:
        return Event(
            run=self._job.order.run,
            kind=EventKind.FAILED,
            code="Agent.WorkerDied",
            message=message,
            hint="Its log is in Logs/ of the agent's folder on the source.",
        )


def start_process(home: Home) -> Start:
    """In a mount namespace of its own, from which nothing spreads to the source's."""

    def start(descriptor: int) -> Child:
        with output_file(home.logs / "replicate.out") as output:
            return spawn(
                *("unshare", "--mount", "--propagation", "private"),
                *(*own_command(), VERB, str(descriptor)),
                output=output,
                pass_fds=(descriptor,),
            )

    return start


def give_way() -> None:
    """Let everything else on the source go first."""
    with suppress(OSError):
        os.nice(NICENESS)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)


def own_command() -> Sequence[str]:
    """How to start this program once more."""
    file = own_file()
    return ("/bin/sh", str(file)) if file else (sys.executable, "-m", "smc.agent.main")


def serve(descriptor: int, home: Home) -> int:
    """The other side: what the process does."""
    logs.set_up(file=home.replicate_log, level=home.settings().log_level, echo=False)
    give_way()
    allow_many_files()
    keep_what_is_loaded()
    tempfile.tempdir = str(home.root)  # what a walk cannot hold in memory: /tmp may be memory too
    with socket.socket(fileno=descriptor) as stream:
        lines = _lines(stream)
        line = next(lines, None)
        if line is None:
            raise UserError("this verb is for the agent itself", code="Agent.WrongUse")
        job = decode(line, Job)
        wish = Wish(job.order)
        speaking = threading.Lock()

        def say(said: Said) -> None:
            with speaking:  # a line is said whole: the sender has several threads
                stream.sendall(encode(said) + b"\n")

        quiet = Quiet(say)
        threading.Thread(target=_listen, args=(lines, wish, quiet), daemon=True).start()
        replicate(wish, home, job.center_host, job.proxy, lambda event: say(Said(event=event)), quiet)
    return 0


def _lines(stream: socket.socket) -> Iterator[bytes]:
    """Until the other end is closed. No buffered file: its lock would hold the end of the process up."""
    rest = b""
    while data := stream.recv(1 << 16):
        *whole, rest = (rest + data).split(b"\n")
        yield from whole


def _listen(lines: Iterable[bytes], wish: Wish, quiet: Quiet) -> None:
    """After the job come newer orders of its run; the end of it is the agent's, and of this process."""
    with suppress(OSError):
        for line in lines:
            try:
                told = decode(line, Told)
            except UserError as e:
                log.error("an order that cannot be read: %s", e.message)
                continue
            if told.stage is not None:
                quiet.answers.put(told)
            if told.order is not None:
                wish.turn(told.order)
                order = wish.order
                log.info("the receiver is now at %s:%d, %s", order.host, order.port, order.settings)
    os._exit(1)


def _tell(agents: socket.socket, told: Told) -> None:
    with suppress(OSError):  # it has ended, which is heard
        agents.sendall(encode(told) + b"\n")
