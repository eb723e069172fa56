"""netplan, ifcfg and wicked on a machine with another card."""

from pathlib import Path

import pytest
from tests.unit.guest.fake_families import FakeFamily

from smc.guest import network
from smc.guest.detect import detect
from smc.guest.networks import blocks
from smc.model.plan import IpMode
from smc.model.report import Check, Level

NETPLAN = "/etc/netplan/50-cloud-init.yaml"
CARD = "/etc/sysconfig/network-scripts/ifcfg-ens192"
OTHER = "/etc/sysconfig/network-scripts/ifcfg-ens224"
WICKED = "/etc/sysconfig/network/ifcfg-eth0"
LINK = "/etc/systemd/network/10-smc-network-card.link"
FAMILIES = ("ubuntu-22.04", "centos-7", "opensuse-leap-15", "almalinux-9", "arch")


def adapt(guest: FakeFamily, mode: IpMode = IpMode.DHCP) -> list[Check]:
    return network.adapt(guest.files, detect(guest.files), mode)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("mode", list(IpMode))
def test_a_card_of_each_style_is_found_and_a_second_time_changes_nothing(
    tmp_path: Path, name: str, mode: IpMode
) -> None:
    guest = FakeFamily(tmp_path, name)
    checks = adapt(guest, mode)
    assert checks[0].level is (Level.PASSED if mode is IpMode.DHCP else Level.INFORMATION)
    before = {path: path.read_bytes() for path in guest.root.rglob("*") if path.is_file()}
    adapt(guest, mode)
    assert {path: path.read_bytes() for path in guest.root.rglob("*") if path.is_file()} == before


def test_netplan_gets_dhcp_on_any_virtio_card_and_keeps_what_is_not_an_address(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "ubuntu-22.04")
    adapt(guest)
    assert guest.read(NETPLAN) == (
        "# This file is generated from information provided by the datasource.\n"
        "network:\n    version: 2\n    ethernets:\n        eth0:\n            dhcp4: true\n"
        "            match:\n                driver: virtio_net\n"
        "#                macaddress: 00:0d:3a:aa:bb:cc\n#                driver: hv_netvsc\n"
        "            set-name: eth0\n#            addresses: [192.0.2.10/24]\n"
        "#            routes:\n#                - to: default\n#                  via: 192.0.2.1\n"
        "#            nameservers:\n#                addresses:\n#                    - 192.0.2.53\n"
        "            mtu: 1400\n"
    )
    assert "Name=eth0" in guest.read(LINK)


def test_netplan_with_ip_mode_keep_only_loses_the_old_card(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "ubuntu-22.04")
    adapt(guest, IpMode.KEEP)
    text = guest.read(NETPLAN)
    assert "                driver: virtio_net\n#                macaddress" in text
    assert "            addresses: [192.0.2.10/24]\n            routes:\n" in text


def test_netplan_without_a_match_names_the_card_and_does_not_wait_for_others(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "ubuntu-22.04")
    guest.write(
        NETPLAN,
        "network:\n  ethernets:\n    ens192:\n      addresses:\n      - 192.0.2.10/24\n"
        "      gateway4: 192.0.2.1\n    ens224: {}\n  vlans:\n    v5:\n      id: 5\n      link: ens192\n",
    )
    checks = adapt(guest)
    assert guest.read(NETPLAN) == (
        "network:\n  ethernets:\n    ens192:\n      dhcp4: true\n#      addresses:\n#      - 192.0.2.10/24\n"
        "#      gateway4: 192.0.2.1\n    ens224:\n      optional: true\n"
        "  vlans:\n    v5:\n      id: 5\n      link: ens192\n"
    )
    assert "Name=ens192" in guest.read(LINK)
    assert {"v5", "ens224"} <= {check.finding.split()[0] for check in checks}


def test_ifcfg_gets_dhcp_without_the_old_hardware_address_and_the_other_card_is_let_go(
    tmp_path: Path,
) -> None:
    guest = FakeFamily(tmp_path, "centos-7")
    adapt(guest)
    text = guest.read(CARD)
    assert 'BOOTPROTO="dhcp"\n' in text
    assert '#HWADDR="00:50:56:AA:BB:CC"\n#IPADDR="192.0.2.10"\n#PREFIX="24"\n#GATEWAY="192.0.2.1"\n' in text
    assert '#DNS1="192.0.2.53"\nMTU="1400"\n' in text
    assert 'ONBOOT="no"' in guest.read(OTHER)
    assert "#GATEWAY=192.0.2.1" in guest.read("/etc/sysconfig/network")
    assert "Name=ens192" in guest.read(LINK)


def test_ifcfg_with_ip_mode_keep_keeps_its_addresses(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "centos-7")
    adapt(guest, IpMode.KEEP)
    text = guest.read(CARD)
    assert 'BOOTPROTO="none"' in text
    assert '\nIPADDR="192.0.2.10"\n' in text
    assert '#HWADDR="' in text


def test_ifcfg_of_a_bridge_and_a_bond_is_kept_and_told(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "centos-7")
    guest.write("/etc/sysconfig/network-scripts/ifcfg-br0", "DEVICE=br0\nTYPE=Bridge\nIPADDR=192.0.2.9\n")
    guest.write("/etc/sysconfig/network-scripts/ifcfg-ens256", "DEVICE=ens256\nBRIDGE=br0\nONBOOT=yes\n")
    checks = adapt(guest)
    assert any(check.level is Level.WARNING and "br0" in check.finding for check in checks)
    assert "IPADDR=192.0.2.9" in guest.read("/etc/sysconfig/network-scripts/ifcfg-br0")


def test_wicked_gets_dhcp_and_its_default_route_goes(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "opensuse-leap-15")
    adapt(guest)
    assert guest.read(WICKED) == (
        "BOOTPROTO=\"dhcp\"\nSTARTMODE='auto'\n#IPADDR='192.0.2.10/24'\n#LLADDR='00:50:56:aa:bb:cc'\n"
    )
    assert guest.read("/etc/sysconfig/network/routes") == "#default 192.0.2.1 - -\n"
    assert not (guest.root / "etc/udev/rules.d/70-persistent-net.rules").exists()


def test_a_key_below_an_empty_one_and_a_quoted_one_is_set() -> None:
    assert blocks.with_key("a: {}\n", ("a", "b"), "1") == "a:\n  b: 1\n"
    assert blocks.with_key('"a":\n    c: 2\n', ("a", "b"), "1") == '"a":\n    b: 1\n    c: 2\n'


def test_lists_are_no_keys_and_belong_to_the_key_above() -> None:
    text = "a:\n- x: 1\n  y: 2\nb: 3  # why\n"
    assert [(node.path, node.value) for node in blocks.nodes(text)] == [(("a",), ""), (("b",), "3")]
    assert blocks.commented(text, lambda node: node.path == ("a",)) == "#a:\n#- x: 1\n#  y: 2\nb: 3  # why\n"
