"""Of several network cards the new machine has one; bonds, bridges and VLANs stand on it or on nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.unit.guest.fake_families import FakeFamily
from tests.unit.guest.fake_guest import FakeGuest

from smc.guest import network
from smc.guest.detect import detect
from smc.model.plan import IpMode
from smc.model.report import Check, Level

LINK = "/etc/systemd/network/10-smc-network-card.link"
KEYFILES = "/etc/NetworkManager/system-connections"
IFCFG = "/etc/sysconfig/network-scripts"
WICKED = "/etc/sysconfig/network"
NETWORKD = "/etc/systemd/network"
NETPLAN = "/etc/netplan/50-cloud-init.yaml"
INTERFACES = "/etc/network/interfaces"


class Here(NamedTuple):
    """A style, how a system with it is planted, and what its card of the default route is called."""

    plant: Callable[[Path, str], FakeGuest]
    second: str = "ens224"
    first: str = "ens192"


def debian(folder: Path, tree: str) -> FakeGuest:
    guest = FakeGuest(folder, tree)
    if not tree.endswith("ifupdown"):
        (guest.root / INTERFACES.lstrip("/")).unlink(missing_ok=True)
    return guest


def family(name: str) -> Callable[[Path, str], FakeGuest]:
    return lambda folder, tree: FakeFamily(folder, name, tree)


STYLES = {
    "ifupdown": Here(debian),
    "netplan": Here(family("ubuntu-22.04")),
    "networkmanager": Here(debian),
    "ifcfg": Here(family("centos-7")),
    "networkd": Here(debian),
    "wicked": Here(family("opensuse-leap-15"), second="eth1", first="eth0"),
}


def adapt(guest: FakeGuest, mode: IpMode = IpMode.DHCP) -> list[Check]:
    return network.adapt(guest.files, detect(guest.files), mode)


def planted(folder: Path, kind: str, style: str, mode: IpMode = IpMode.DHCP) -> tuple[FakeGuest, list[Check]]:
    guest = STYLES[style].plant(folder, f"{kind}-{style}")
    return guest, adapt(guest, mode)


def told(checks: list[Check], level: Level) -> str:
    return "\n".join(check.finding for check in checks if check.level is level)


@pytest.mark.parametrize("style", STYLES)
def test_the_card_of_the_default_route_takes_the_new_ones_place(tmp_path: Path, style: str) -> None:
    guest, checks = planted(tmp_path, "many-cards", style)
    card = STYLES[style].second
    assert checks[0].level is Level.PASSED
    assert checks[0].finding.startswith(f"{card} gets its address by DHCP")
    assert f"Name={card}\n" in guest.read(LINK)
    assert f"which is {card}" in told(checks, Level.WARNING)


@pytest.mark.parametrize("style", STYLES)
def test_other_cards_and_what_stands_on_them_are_told(tmp_path: Path, style: str) -> None:
    _, checks = planted(tmp_path, "many-cards", style)
    warning = next(check.finding for check in checks if "stay unconfigured" in check.finding)
    vlan = "vlan30" if style == "networkd" else "bond1.30"
    storage = {"networkd": "10-storage.network"}.get(style, STYLES[style].first)
    for name in (storage, "bond1", vlan):
        assert name in warning


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", ["many-cards", "bonded"])
@pytest.mark.parametrize("mode", list(IpMode))
def test_many_cards_a_second_time_change_nothing(tmp_path: Path, style: str, kind: str, mode: IpMode) -> None:
    guest, _ = planted(tmp_path, kind, style, mode)
    before = {path: path.read_bytes() for path in guest.root.rglob("*") if path.is_file()}
    checks = adapt(guest, mode)
    assert {path: path.read_bytes() for path in guest.root.rglob("*") if path.is_file()} == before
    assert checks[0].level in (Level.PASSED, Level.INFORMATION)


@pytest.mark.parametrize("style", STYLES)
def test_rules_of_routing_through_the_old_network_are_taken_out_and_told(tmp_path: Path, style: str) -> None:
    guest, checks = planted(tmp_path, "many-cards", style)
    assert f"{STYLES[style].second} that led through the old network" in told(checks, Level.WARNING)
    left = [
        line
        for change in guest.journal.changes
        for line in change.after.splitlines()
        if ("192.0.2.10" in line or "192.0.2.254" in line or "203.0.113.0" in line)
        and not line.lstrip().startswith("#")
    ]
    assert not left


@pytest.mark.parametrize("style", STYLES)
def test_with_ip_mode_keep_several_cards_keep_addresses_and_rules(tmp_path: Path, style: str) -> None:
    guest, checks = planted(tmp_path, "many-cards", style, IpMode.KEEP)
    assert checks[0].level is Level.INFORMATION
    assert "that led through the old network" not in told(checks, Level.WARNING)
    address = "IPADDR=192.0.2.10" if style == "ifcfg" else "192.0.2.10/24"
    rule = "Table=100" if style == "networkd" else "table"
    whole = "\n".join(
        line
        for path in (guest.root / "etc").rglob("*")
        if path.is_file() and not path.is_symlink()
        for line in path.read_text().splitlines()
        if not line.lstrip().startswith("#")
    )
    assert all(text in whole for text in (address, "203.0.113.0/24", rule))


def test_ifupdown_starts_with_the_card_of_the_default_route_alone(tmp_path: Path) -> None:
    guest, _ = planted(tmp_path, "many-cards", "ifupdown")
    text = guest.read(INTERFACES)
    autos = [line for line in text.splitlines() if line.startswith(("auto", "allow-auto"))]
    assert autos == ["auto lo", "auto ens224"]
    assert "allow-hotplug ens256" in text, "it comes up when such a card is added"
    assert "iface bond1.30 inet static\n    address 10.30.0.10/24" in text
    assert "iface ens224 inet dhcp\n#    address" in text
    assert "    post-up /usr/local/sbin/firewall\n#    pre-down ip rule del" in text


def test_netplan_waits_for_no_card_that_is_missing(tmp_path: Path) -> None:
    guest, _ = planted(tmp_path, "many-cards", "netplan")
    text = guest.read(NETPLAN)
    for name in ("storage", "backup", "ens161", "ens162", "bond1", "bond1.30"):
        assert f"    {name}:\n      optional: true\n" in text
    assert "    uplink:\n      dhcp4: true\n      match:\n        driver: virtio_net\n#        mac" in text
    assert "macaddress: 00:50:56:00:00:01\n      set-name: ens192\n" in text, "the others stay as they are"


def test_networkmanager_gives_the_new_card_to_no_other_profile(tmp_path: Path) -> None:
    guest, _ = planted(tmp_path, "many-cards", "networkmanager")
    assert "autoconnect=false" in guest.read(f"{KEYFILES}/3-any.nmconnection")
    for name in ("4-bond1", "7-vlan"):
        assert "autoconnect=false" in guest.read(f"{KEYFILES}/{name}.nmconnection")
    for name in ("1-storage", "2-uplink", "5-ens161"):
        assert "autoconnect" not in guest.read(f"{KEYFILES}/{name}.nmconnection")


def test_ifcfg_and_wicked_start_the_card_of_the_default_route_alone(tmp_path: Path) -> None:
    guest, _ = planted(tmp_path / "redhat", "many-cards", "ifcfg")
    for name in ("ens192", "ens256", "ens161", "ens162", "bond1", "bond1.30"):
        assert 'ONBOOT="no"' in guest.read(f"{IFCFG}/ifcfg-{name}")
    assert "ONBOOT=yes" in guest.read(f"{IFCFG}/ifcfg-ens224")
    assert guest.read(f"{IFCFG}/route-ens224").splitlines()[1].startswith("#203")
    guest, _ = planted(tmp_path / "suse", "many-cards", "wicked")
    for name in ("eth0", "eth2", "eth3", "bond1", "bond1.30"):
        assert "off" in guest.read(f"{WICKED}/ifcfg-{name}").split("STARTMODE=")[1].split("\n")[0]
    assert "STARTMODE='auto'" in guest.read(f"{WICKED}/ifcfg-eth1")


def test_networkd_is_online_without_cards_that_are_missing(tmp_path: Path) -> None:
    guest, _ = planted(tmp_path, "many-cards", "networkd")
    for name in ("10-storage", "30-backup", "40-bond1", "41-bond1-ports", "42-vlan30"):
        assert "[Link]\nRequiredForOnline=no\n" in guest.read(f"{NETWORKD}/{name}.network")
    assert "RequiredForOnline" not in guest.read(f"{NETWORKD}/20-uplink.network")


@pytest.mark.parametrize("style", STYLES)
def test_a_bridge_on_a_bond_asks_dhcp_with_the_one_card_that_is_left(tmp_path: Path, style: str) -> None:
    guest, checks = planted(tmp_path, "bonded", style)
    card = STYLES[style].first
    assert checks[0].finding.startswith(f"br0 on {card} gets its address by DHCP")
    assert f"Name={card}\n" in guest.read(LINK)
    assert "br0.20 keep their configuration; only br0 was" in told(checks, Level.WARNING)
    text = "\n".join(change.after for change in guest.journal.changes)
    bound = [line for line in text.splitlines() if "00:50:56:00:00:01" in line]
    assert all(line.startswith("#") for line in bound), "the new network lets no other address through"
    assert not [line for line in text.splitlines() if "192.0.2." in line and not line.startswith("#")]


def test_a_vlan_that_led_to_the_outside_is_left_for_its_card(tmp_path: Path) -> None:
    guest = debian(tmp_path, "bonded-ifupdown")
    text = (
        "auto ens192 ens192.5\niface ens192 inet manual\n"
        "iface ens192.5 inet static\n  address 192.0.2.10/24\n  gateway 192.0.2.1\n"
    )
    guest.write(INTERFACES, text)
    checks = adapt(guest)
    new = guest.read(INTERFACES)
    assert new.startswith("auto ens192\niface ens192 inet dhcp\niface ens192.5 inet static\n")
    assert checks[0].finding.startswith("ens192 gets its address by DHCP")
    assert "ens192.5 led to the outside" in told(checks, Level.WARNING)


def test_a_vlan_that_led_to_the_outside_stays_the_way_out_with_ip_mode_keep(tmp_path: Path) -> None:
    guest = family("ubuntu-22.04")(tmp_path, "bonded-netplan")
    text = (
        "network:\n  ethernets:\n    ens192: {}\n    ens224: {}\n  vlans:\n    v5:\n      id: 5\n"
        "      link: ens224\n      addresses: [192.0.2.10/24]\n      gateway4: 192.0.2.1\n"
    )
    guest.write(NETPLAN, text)
    checks = adapt(guest, IpMode.KEEP)
    assert checks[0].finding.startswith("v5 on ens224 has its addresses as on the source")
    assert "gateway4: 192.0.2.1" in guest.read(NETPLAN)
    assert "Name=ens224" in guest.read(LINK)


@pytest.mark.parametrize("style", ["netplan", "networkd", "networkmanager", "ifcfg"])
def test_a_vlan_that_led_out_leads_out_no_more(tmp_path: Path, style: str) -> None:
    guest = STYLES[style].plant(tmp_path, f"bonded-{style}")
    etc = guest.root / "etc"
    for path in [path for path in etc.rglob("*") if path.is_file() and not path.is_symlink()]:
        text = path.read_text()
        if "192.0.2.1" in text or "10.20.0.10" in text:  # the bridge and its VLAN change their addresses
            lines = [line for line in text.splitlines() if "192.0.2.1" not in line]
            path.write_text("\n".join(lines).replace("10.20.0.10/24", GATEWAY[style]) + "\n")
    if style == "ifcfg":
        guest.write(f"{IFCFG}/ifcfg-br0.20", "VLAN=yes\nDEVICE=br0.20\nGATEWAY=192.0.2.1\nONBOOT=yes\n")
    checks = adapt(guest)
    assert checks[0].finding.startswith("br0 on ens192 gets its address by DHCP")
    assert "br0.20 led to the outside" in told(checks, Level.WARNING)
    changed = {change.path: change.after for change in guest.journal.changes}
    (vlan,) = [text for path, text in changed.items() if path in VLAN[style]]
    off = ('ONBOOT="no"', "autoconnect=false", "#Gateway=192.0.2.1", "#      gateway4: 192.0.2.1")
    assert any(word in vlan for word in off)


GATEWAY = {
    "netplan": "192.0.2.10/24]\n      gateway4: 192.0.2.1\n      addresses: [192.0.2.10/24",
    "networkd": "192.0.2.10/24\nGateway=192.0.2.1",
    "networkmanager": "192.0.2.10/24,192.0.2.1",
    "ifcfg": "",
}
VLAN = {
    "netplan": [NETPLAN],
    "networkd": [f"{NETWORKD}/40-vlan.network"],
    "networkmanager": [f"{KEYFILES}/vlan.nmconnection"],
    "ifcfg": [f"{IFCFG}/ifcfg-br0.20"],
}
