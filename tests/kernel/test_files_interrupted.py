"""Copies that are cut, killed or stopped half way, and go on."""

import os
import shutil
import threading
from pathlib import Path

import pytest
from tests.kernel.copying import RECEIVER, Ends
from tests.kernel.nasty_tree import make_nasty_tree
from tests.kernel.test_files import MIB, SLOW, assert_equal, assert_only_grows, wait_for

from smc.base.errors import Transient
from smc.transfer.memory import Memory
from smc.wire.listener import Listener
from smc.wire.orders import TransferSettings

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("killed", ["sender", "receiver"])
def test_after_a_kill_half_way_nothing_is_lost_and_little_is_sent_again(
    ends: Ends, killed: str, tmp_path: Path
) -> None:
    ends.memory = Memory(tmp_path / "memory")
    make_nasty_tree(ends.source)
    for number in range(4):
        (ends.source / f"much {number}").write_bytes(os.urandom(20 * MIB))
    with Listener("127.0.0.1", 0, RECEIVER) as listener:
        answer: list[object] = []
        end = threading.Thread(target=lambda: answer.append(ends.serve(listener)))
        end.start()
        threading.Thread(target=cut_when, args=(ends, lambda: abort(ends), 45 * MIB)).start()
        with pytest.raises(Transient):
            ends.send(listener.port, SLOW)
        end.join(60)
    assert isinstance(answer[0], Transient)
    if killed == "receiver":
        ends.memory.close()
        ends.memory = Memory(tmp_path / "memory")
    before, lay_there = ends.memory.wire, shutil.disk_usage(ends.target).used
    assert lay_there > 45 * MIB
    ends.copy()
    assert_equal(ends)
    came = ends.memory.wire - before  # with names, hashes and signatures
    assert lay_there + came < shutil.disk_usage(ends.target).used + 2 * MIB
    assert ends.memory.resent < MIB
    if killed == "sender":
        assert_only_grows(ends.progress)


def abort(ends: Ends) -> None:
    assert ends.channel is not None
    ends.channel.abort()


def cut_when(ends: Ends, cut: object, done: int) -> None:
    def reached() -> bool:
        return bool(ends.progress) and ends.progress[-1].disks[0].done > done

    wait_for(reached)
    assert callable(cut)
    cut()


def test_a_stop_ends_both_ends_and_a_new_start_finishes(ends: Ends) -> None:
    (ends.source / "much").write_bytes(os.urandom(20 * MIB))
    stop = threading.Event()
    threading.Thread(target=cut_when, args=(ends, stop.set, MIB)).start()
    with pytest.raises(Transient) as raised:
        ends.copy(TransferSettings(bandwidth_limit_mbit=40), stop=stop)
    assert raised.value.code == "Transfer.Stopped"
    ends.copy()
    assert_equal(ends)
