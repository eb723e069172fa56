"""A server of each place that one may come from starts on the new machine, under its own name there."""

import re
from pathlib import Path

import pytest
from tests.facts.trees import FACTS
from tests.unit.guest.fake_guest import ROOT, SWAP, FakeGuest, plan

from smc.guest import cloudinit
from smc.guest.convert import Converted, convert
from smc.guest.origins import ORIGINS
from smc.model.report import Level

TREES = sorted(path.stem for path in FACTS.glob("origin-*.tree"))
NAMES = {  # as its own row of origins.py, where it has one
    "vmware": "VMware", "virtualbox": "VirtualBox", "xen": "Xen", "kvm": "KVM", "hyper-v": "Hyper-V",
    "aws": "AWS", "azure": "Azure", "gcp": "GCP", "tencent": "Tencent Cloud", "huawei": "Huawei Cloud",
    "oracle-cloud": "Oracle Cloud", "digitalocean": "DigitalOcean", "openstack": "OpenStack",
    "hetzner": "Hetzner", "alibaba": "",
}  # fmt: skip


def converted(guest: FakeGuest) -> Converted:
    return convert(guest.copy, plan(), note=lambda _: None, run=guest.run)


def test_every_place_of_a_tree_is_known() -> None:
    assert {f"origin-{name}" for name in NAMES} == {*TREES}
    assert {*NAMES.values()} - {""} <= {origin.name for origin in ORIGINS}


@pytest.mark.parametrize("tree", TREES)
def test_its_disks_card_and_cloud_are_those_of_the_new_machine(tmp_path: Path, tree: str) -> None:
    guest = FakeGuest(tmp_path, tree)
    card = re.search(r"^auto (?!lo)(\S+)", guest.read("/etc/network/interfaces"), re.MULTILINE)
    result = converted(guest)
    assert not [check for check in result.checks if check.level is Level.CRITICAL]
    root, swap, *others = guest.read("/etc/fstab").splitlines()
    assert (root.split()[0], swap.split()[0]) == (f"UUID={ROOT}", f"UUID={SWAP}")
    assert all("nofail" in line for line in others if line.startswith("/dev/disk/cloud"))
    line = guest.read("/etc/default/grub").split('GRUB_CMDLINE_LINUX="')[1]
    assert not re.search(r"/dev/|netroot|iscsi", line), "nothing waits for a disk of the old place"
    assert card
    assert f"Name={card[1]}" in guest.read("/etc/systemd/network/10-smc-network-card.link")
    assert f"iface {card[1]} inet dhcp" in guest.read("/etc/network/interfaces")
    if cloudinit.installed(guest.files):
        assert cloudinit.datasources(guest.files)[0] == "AliYun"
    assert converted(guest).changes == (), "a second time changes nothing"


@pytest.mark.parametrize("tree", TREES)
def test_its_services_do_not_start_and_its_name_is_told(tmp_path: Path, tree: str) -> None:
    guest = FakeGuest(tmp_path, tree)
    wants = guest.root / "etc/systemd/system/multi-user.target.wants"
    units = {path.name for path in wants.iterdir()} - {"ssh.service", "smc-agent.service"}
    result = converted(guest)
    assert not units & {path.name for path in wants.iterdir()}
    name = NAMES[tree.removeprefix("origin-")]
    told = " ".join(check.finding for check in result.checks if check.item != "GUESTOS.Platform")
    assert not units or f"tools of {name} are there" in told
    assert not units or f"disabled: {', '.join(sorted(units))}" in told
