"""The appliance and the sample source boot, and what they are built for is there."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo import judge_boot, sample
from demo.sample import free_ports
from demo.sample_content import PAGE_MARKER
from demo.ssh import Shell, make_key
from demo.stages import wait_until

from smc.localcloud import accelerator, appliance, qemu, seed
from smc.localcloud.bake import CACHE
from smc.localcloud.machine import Forward, MachineDisk, MachineSpec, UserNetwork

pytestmark = pytest.mark.machines

BOOT_SECONDS = 300.0  # 23 s on an idle machine under emulation
OFF_SECONDS = 90.0


@pytest.fixture
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("r")


@pytest.fixture
def booted(tmp_path: Path, runtime: Path) -> Iterator[tuple[qemu.Handle, MachineSpec, Shell]]:
    """An appliance with a second disk, whose user data lets the judge in and counts how often it ran."""
    built = appliance.build(say=print)
    key = make_key(tmp_path)
    public_key = key.with_suffix(".pub").read_text().strip()
    user_data = (
        "#!/bin/sh\nmkdir -p -m 0700 /root/.ssh\n"
        f"echo '{public_key}' > /root/.ssh/authorized_keys\necho ran >> /root/runs\n"
    )
    seed.make_seed(tmp_path / "seed.iso", "i-1", "judged", user_data.encode())
    (port,) = free_ports(1)
    qemu_img = ("qemu-img", "create", "-q", "-f", "qcow2")
    system, data = tmp_path / "system.qcow2", tmp_path / "data.qcow2"
    subprocess.run([*qemu_img, "-b", built.disk("system"), "-F", "qcow2", system, "20G"], check=True)
    subprocess.run([*qemu_img, data, "5G"], check=True)
    spec = MachineSpec(
        folder=tmp_path,
        runtime=runtime,
        name="appliance",
        network=UserNetwork(
            cidr="192.168.7.0/24",
            gateway="192.168.7.1",
            address="192.168.7.20",
            mac="52:54:00:12:34:56",
            forwards=(Forward(host_port=port, guest_port=22),),
        ),
        disks=(MachineDisk(path=system, serial="d-system"), MachineDisk(path=data, serial="smc-j-abc-1")),
        seed=tmp_path / "seed.iso",
    )
    handle = qemu.start(spec, accelerator.find(built.kernel, CACHE / "accelerator.json").accelerator)
    try:
        yield handle, spec, Shell(port=port, key=key)
    finally:
        qemu.kill(handle)


def test_the_appliance_runs_its_user_data_once_and_lets_the_judge_in(
    booted: tuple[qemu.Handle, MachineSpec, Shell],
) -> None:
    handle, spec, shell = booted
    wait_until("user data and sshd", BOOT_SECONDS, shell.answers)
    print(f"the appliance's own clock: {shell.run('cat /proc/uptime', timeout=30)}")
    assert shell.run("hostname", timeout=30).strip() == "judged"
    assert "/dev/vdb" in shell.run("readlink -f /dev/disk/by-id/virtio-smc-j-abc-1", timeout=30)
    assert shell.run("systemctl --failed --quiet --no-legend", timeout=60).strip() == ""
    tools = "curl sfdisk sgdisk mke2fs rsync setfacl setfattr ssh blkid mkswap"
    assert len(shell.run(f"command -v {tools}", timeout=30).split()) == len(tools.split())
    address = shell.run("ip -4 -brief address show ens5", timeout=30)
    assert "192.168.7.20/24" in address
    assert "the user data has run" in spec.console.read_text(errors="replace")
    assert qemu.screenshot(handle).startswith(b"\xff\xd8\xff")

    shell.run("systemctl reboot", timeout=30, ok=(0, 255))
    wait_until(
        "the reboot", BOOT_SECONDS, lambda: spec.console.read_text(errors="replace").count("i-1 has run")
    )
    wait_until("sshd again", BOOT_SECONDS, shell.answers)
    assert shell.run("cat /root/runs", timeout=30).split() == ["ran"]

    qemu.power_down(handle)
    assert qemu.wait(handle, OFF_SECONDS)
    assert not qemu.is_alive(handle)


def test_the_sample_serves_its_page_and_holds_its_content(tmp_path: Path) -> None:
    built = sample.build()
    source = sample.boot(built, tmp_path / "source")
    try:
        shell = Shell(port=source.ssh_port, key=built.key)
        source.wait_ready(shell, BOOT_SECONDS)
        assert PAGE_MARKER.encode() in judge_boot.page(source.web_port)
        assert shell.run("command -v python3 python perl6", timeout=30, ok=(127, 1)).strip() == ""
        assert "ens3" in shell.run("ip -brief link", timeout=30)
        assert shell.run("findmnt -no SOURCE /srv/data", timeout=30).strip() == "/dev/vdb1"
        assert "partition" in shell.run("swapon --show=TYPE --noheadings", timeout=30)
        kinds = shell.run("find /opt/odd /srv/data/odd -printf '%y'", timeout=60)
        assert set("bcdflps") <= set(kinds)
        assert "cap_net_raw" in shell.run("getcap /opt/odd/with-capability", timeout=30)
        assert "trusted.secret" in shell.run("getfattr -d -m - /srv/data/odd/with-xattrs", timeout=30)
        assert shell.run("stat -c %h /srv/data/odd/one/name", timeout=30).strip() == "3"
        assert shell.run("lsattr /opt/odd/immutable", timeout=30).startswith("----i")
        before = int(shell.run("cat /srv/data/state/counter", timeout=30))
        wait_until(
            "the writer writes",
            60,
            lambda: int(shell.run("cat /srv/data/state/counter", timeout=30)) > before,
        )
        shell.run("mount --bind / /mnt", timeout=30)
        assert "below" in shell.run("cat /mnt/srv/data/below-the-mount.txt", timeout=30)
        assert shell.run("ls -d /data.volume /bake.*", timeout=30, ok=(2,)) == ""
    finally:
        source.stop()
