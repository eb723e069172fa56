"""The network of a copy comes up on a card with another place and hardware address."""

from pathlib import Path

import pytest
from tests.unit.guest.fake_guest import FakeGuest

from smc.guest import network
from smc.guest.detect import detect
from smc.model.plan import IpMode
from smc.model.report import Check, Level

LINK = "etc/systemd/network/10-smc-network-card.link"
INTERFACES = "/etc/network/interfaces"


def adapt(guest: FakeGuest, mode: IpMode = IpMode.DHCP) -> list[Check]:
    return network.adapt(guest.files, detect(guest.files), mode)


def test_the_new_card_gets_the_name_of_the_old_one(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path, "ifupdown-static")
    adapt(guest)
    assert guest.read(LINK).endswith("[Match]\nDriver=virtio_net\n\n[Link]\nName=ens192\n")


def test_ifupdown_gets_dhcp_and_keeps_what_is_not_an_address(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path, "ifupdown-static")
    checks = adapt(guest)
    assert guest.read(INTERFACES) == (
        "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n\nauto ens192\n"
        "iface ens192 inet dhcp\n#    address 192.0.2.10/24\n#    gateway 192.0.2.1\n"
        "#    dns-nameservers 192.0.2.53\n#    hwaddress ether 00:50:56:aa:bb:cc\n    mtu 1400\n"
        "    post-up /usr/local/sbin/firewall\niface ens192 inet6 auto\n"
        "#    address 2001:db8::10/64\n#    gateway 2001:db8::1\n"
    )
    assert checks[0].level is Level.PASSED
    assert "ens224 stay unconfigured" in checks[1].finding


def test_ifupdown_with_ip_mode_keep_keeps_addresses_and_loses_the_hardware_address(
    tmp_path: Path,
) -> None:
    guest = FakeGuest(tmp_path, "ifupdown-static")
    checks = adapt(guest, IpMode.KEEP)
    text = guest.read(INTERFACES)
    assert "iface ens192 inet static\n    address 192.0.2.10/24\n    gateway 192.0.2.1\n" in text
    assert "#    hwaddress" in text
    assert checks[0].level is Level.INFORMATION
    assert guest.read(LINK)


def test_networkd_by_hardware_address_finds_any_virtio_card_and_asks_dhcp(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path, "networkd-static")
    adapt(guest)
    assert guest.read("/etc/systemd/network/20-lan.network") == (
        "[Match]\nDriver=virtio_net\n#MACAddress=00:50:56:aa:bb:cc\n\n[Network]\nDHCP=yes\n"
        "#Address=192.0.2.10/24\n#Gateway=192.0.2.1\n#DNS=192.0.2.53\nIPForward=yes\n\n"
        "[Route]\n#Destination=203.0.113.0/24\n#Gateway=192.0.2.254\n"
    )
    assert not (guest.root / LINK).exists(), "nothing speaks of a name"


def test_networkd_with_ip_mode_keep_is_only_freed_of_the_hardware_address(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path, "networkd-static")
    adapt(guest, IpMode.KEEP)
    text = guest.read("/etc/systemd/network/20-lan.network")
    assert text.startswith("[Match]\nDriver=virtio_net\n#MACAddress=")
    assert "\nAddress=192.0.2.10/24\n" in text


def test_networkmanager_asks_dhcp_and_its_passwords_are_not_in_the_record(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path, "networkmanager-static")
    root = guest.files
    network.adapt(root, detect(root), IpMode.DHCP)
    path = "/etc/NetworkManager/system-connections/lan.nmconnection"
    text = guest.read(path)
    assert "[ipv4]\n#address1=192.0.2.10/24,192.0.2.1\n#dns=192.0.2.53;\nmethod=auto\n" in text
    assert "[ethernet]\n#mac-address=" in text
    assert "password=of-the-switch" in text
    assert "of-the-switch" not in repr(root.journal.changes)
    assert "Name=ens192" in guest.read(LINK)


@pytest.mark.parametrize("tree", ["ifupdown-static", "networkd-static", "networkmanager-static"])
@pytest.mark.parametrize("mode", list(IpMode))
def test_a_second_time_changes_nothing(tmp_path: Path, tree: str, mode: IpMode) -> None:
    guest = FakeGuest(tmp_path, tree)
    adapt(guest, mode)
    assert guest.journal.changes, "the first time did"
    before = {path: path.read_bytes() for path in guest.root.rglob("*") if path.is_file()}
    adapt(guest, mode)
    assert {path: path.read_bytes() for path in guest.root.rglob("*") if path.is_file()} == before


def test_a_card_that_already_asks_dhcp_keeps_its_file(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    text = "auto lo\niface lo inet loopback\nallow-hotplug ens3\niface ens3 inet dhcp\n"
    guest.write(INTERFACES, text)
    adapt(guest)
    assert guest.read(INTERFACES) == text
    assert "Name=ens3" in guest.read(LINK)


def test_eth0_by_the_kernels_own_naming_needs_no_link_file(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.write(INTERFACES, "auto eth0\niface eth0 inet dhcp\n")
    guest.write("/boot/grub/grub.cfg", "linux /vmlinuz net.ifnames=0\n")
    adapt(guest)
    assert not (guest.root / LINK).exists()


def test_a_bridge_asks_dhcp_in_place_of_its_card(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.write(
        INTERFACES,
        "auto br0\niface ens3 inet manual\n"
        "iface br0 inet static\n  address 192.0.2.1/24\n  bridge_ports ens3\n",
    )
    checks = adapt(guest)
    assert checks[0].finding == "br0 on ens3 gets its address by DHCP (ifupdown)"
    assert "iface ens3 inet manual\niface br0 inet dhcp\n#  address" in guest.read(INTERFACES)
    assert "Name=ens3" in guest.read(LINK)


def test_a_style_that_is_not_known_here_is_said_and_left_alone(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    guest.write("/etc/netplan/50-cloud-init.yaml", "network: {}\n")
    (check,) = adapt(guest)
    assert check.level is Level.WARNING
    assert "netplan" in check.finding


def test_old_leases_and_old_rules_for_names_are_removed(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    adapt(guest)
    assert not list((guest.root / "etc/udev/rules.d").iterdir())
    assert not list((guest.root / "var/lib/dhcp").iterdir())
