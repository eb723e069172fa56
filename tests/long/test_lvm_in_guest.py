"""LVM at the target without a whole job: a receiver's own code lays out, converts; the disk boots by itself.

The kernel of a machine that runs tests may lack device-mapper; that of an intermediate instance has it.
"""

import tarfile
import uuid
from pathlib import Path

import pytest
from demo.sample import free_ports
from demo.ssh import Shell
from tests.long.lvm_program import READY
from tests.matrix.builder import Built, build, builder_image, overlay, runtime
from tests.matrix.migrate import wait_for_login
from tests.matrix.rows import rows

from smc.base.run import run
from smc.localcloud import accelerator, qemu
from smc.localcloud.bake import CACHE
from smc.localcloud.machine import Forward, MachineDisk, MachineSpec, UserNetwork
from smc.localcloud.seed import make_seed
from smc.model.server import Firmware

pytestmark = pytest.mark.machines

OLDER = "bullseye-uefi-grub-lvm-separate-path-netplan-nvme"  # its initramfs switches on only what it is told
AGENT = Path("build/smc-agent")
SECONDS = 2400.0
USER_DATA = """#!/bin/bash
systemctl mask --quiet --runtime --now serial-getty@ttyS0.service
exec > /dev/ttyS0 2>&1
trap 'systemctl poweroff --no-block' EXIT
set -eux -o pipefail
mkdir /payload
tar -C /payload -xf /dev/disk/by-id/virtio-payload
/payload/smc-agent --help > /dev/null
unpacked=$(ls -d /var/lib/smc-runtime/*/)
set +x
"$unpacked/lib/ld.so" --inhibit-cache --library-path "$unpacked/lib" --argv0 "$unpacked/bin/python3" \\
    "$unpacked/bin/python3" -I -S -B -X utf8 -c "import sys, runpy
sys.path.insert(0, '$unpacked/app')
runpy.run_path('/payload/lvm_program.py', run_name='__main__')"
"""


def test_a_copy_on_logical_volumes_is_laid_out_converted_and_boots(tmp_path: Path) -> None:
    built = build(rows()[OLDER], OLDER)
    target = tmp_path / "target.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", target, "20G", timeout=60)
    console = convert_in_guest(tmp_path / "intermediate", built, target)
    assert READY in console
    boot(tmp_path / "copy", built, target)


def convert_in_guest(folder: Path, built: Built, target: Path) -> str:
    """The console of the machine that did it."""
    folder.mkdir()
    with tarfile.open(folder / "payload.tar", "w") as tar:
        tar.add(AGENT, "smc-agent")
        tar.add(Path(__file__).with_name("lvm_program.py"), "lvm_program.py")
    overlay(folder / "payload.tar", folder / "payload.qcow2", form="raw")
    overlay(builder_image(), folder / "system.qcow2", form="qcow2")
    overlay(built.disks[0], folder / "source.qcow2", form="qcow2")
    make_seed(folder / "seed.iso", "lvm-in-guest", "intermediate", USER_DATA.encode())
    disks = (
        MachineDisk(path=folder / "system.qcow2", serial="system"),
        MachineDisk(path=target, serial="target"),
        MachineDisk(path=folder / "source.qcow2", serial="source"),
        MachineDisk(path=folder / "payload.qcow2", serial="payload"),
    )
    handle, spec = started(folder, built, disks, seed=folder / "seed.iso")
    try:
        assert qemu.wait(handle, SECONDS)
    finally:
        qemu.kill(handle)
        print(spec.console.read_text(errors="replace")[-6000:])
    return spec.console.read_text(errors="replace")


def boot(folder: Path, built: Built, target: Path) -> None:
    folder.mkdir()
    (port,) = free_ports(1)
    disks = (MachineDisk(path=target, serial="system"),)
    handle, spec = started(folder, built, disks, firmware=Firmware.UEFI, port=port)
    shell = Shell(port=port, key=built.key)
    try:
        wait_for_login(shell, spec.console, "the copy")
        assert shell.run("findmnt -n -o SOURCE /", timeout=60).strip() == "/dev/mapper/vg0-lv1"
        assert shell.run("findmnt -n -o SOURCE /boot", timeout=60).strip() == "/dev/vda2"
        listed = shell.run("lvs --noheadings -o vg_name,lv_name,segtype", timeout=60).split()
        assert listed == ["vg0", "lv1", "linear"]
        assert "root=/dev/mapper/vg0-lv1" in shell.run("cat /proc/cmdline", timeout=60)
        assert shell.run("systemctl --failed --no-legend", timeout=60).strip() == ""
        shell.run("update-grub", timeout=600)
        again = shell.run("grep -c root=/dev/mapper/vg0-lv1 /boot/grub/grub.cfg", timeout=60)
        assert int(again) > 0, "its next kernel starts from there as well"
    finally:
        qemu.kill(handle)
        print(spec.console.read_text(errors="replace")[-3000:])


def started(
    folder: Path,
    built: Built,
    disks: tuple[MachineDisk, ...],
    *,
    seed: Path | None = None,
    firmware: Firmware = Firmware.BIOS,
    port: int = 0,
) -> tuple[qemu.Handle, MachineSpec]:
    identity = uuid.uuid5(uuid.NAMESPACE_URL, folder.as_uri())
    spec = MachineSpec(
        folder=folder,
        runtime=runtime(),
        name=identity.hex[:12],
        cpus=2,
        memory_mib=1024,
        uuid=str(identity),
        firmware=firmware,
        disks=disks,
        seed=seed,
        network=UserNetwork(
            cidr="10.0.2.0/24",
            gateway="10.0.2.2",
            address="10.0.2.15",
            mac="52:54:00:00:00:07",
            restricted=not port,
            forwards=(Forward(host_port=port, guest_port=22),) if port else (),
        ),
    )
    found = accelerator.find(built.kernel, CACHE / "accelerator.json")
    return qemu.start(spec, found.accelerator), spec
