"""KVM is chosen where a kernel really boots under it, and the answer is remembered."""

import os
from pathlib import Path

import pytest

from smc.base.errors import CommandFailed
from smc.base.run import Output
from smc.localcloud.accelerator import PROOF, find
from smc.localcloud.machine import Accelerator


class FakeQemu:
    """Answers `--version`; as a machine it writes `console` and then ends, or hangs."""

    def __init__(self, console: str = "", *, hangs: bool = False, version: str = "7.2") -> None:
        self.console, self.hangs, self.version = console, hangs, version
        self.boots = 0

    def __call__(self, *argv: object, timeout: float, stdin: str = "", ok: object = (0,)) -> Output:
        words = [str(word) for word in argv]
        if "--version" in words:
            return Output(f"QEMU emulator version {self.version}\n", "", 0)
        self.boots += 1
        Path(words[words.index("-serial") + 1].removeprefix("file:")).write_text(self.console)
        if self.hangs:
            raise CommandFailed(words, f"no end after {timeout:g} s", "first line\nsecond line")
        return Output("", "", 0)


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "kvm"
    path.touch()
    return path


def look(qemu: FakeQemu, device: Path) -> Accelerator:
    return find(
        Path("/boot/vmlinuz"), device.parent / "cache" / "found.json", run=qemu, device=device
    ).accelerator


def test_a_guest_that_boots_means_kvm(device: Path) -> None:
    assert look(FakeQemu(f"[0.9] {PROOF}: unable to mount root\n"), device) is Accelerator.KVM


def test_a_guest_that_hangs_after_the_firmware_means_emulation(device: Path) -> None:
    qemu = FakeQemu("Probing EDD (edd=off to disable)... ok\n", hangs=True)
    found = find(Path("/boot/vmlinuz"), device.parent / "found.json", run=qemu, device=device)
    assert found.accelerator is Accelerator.TCG
    assert "no end after" in found.note
    assert "\n" not in found.note


def test_a_guest_that_ends_without_a_word_means_emulation(device: Path) -> None:
    assert look(FakeQemu(""), device) is Accelerator.TCG


def test_the_answer_is_remembered(device: Path) -> None:
    qemu = FakeQemu(PROOF)
    assert [look(qemu, device), look(qemu, device)] == [Accelerator.KVM] * 2
    assert qemu.boots == 1


def test_another_qemu_is_asked_again(device: Path) -> None:
    assert look(FakeQemu(PROOF), device) is Accelerator.KVM
    assert look(FakeQemu("", version="9.0"), device) is Accelerator.TCG


def test_a_spoilt_memory_is_no_memory(device: Path) -> None:
    cache = device.parent / "cache"
    cache.mkdir()
    (cache / "found.json").write_text("{")
    assert look(FakeQemu(PROOF), device) is Accelerator.KVM


def test_without_the_device_nothing_is_tried(tmp_path: Path) -> None:
    qemu = FakeQemu(PROOF)
    assert look(qemu, tmp_path / "absent") is Accelerator.TCG
    assert qemu.boots == 0


def test_a_device_that_may_not_be_opened_means_emulation_with_a_note(
    device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    found = find(Path("/boot/vmlinuz"), device.parent / "found.json", run=FakeQemu(PROOF), device=device)
    assert found.accelerator is Accelerator.TCG
    assert "group kvm" in found.note
