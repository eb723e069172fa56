"""No conversion cuts a server off: the card in use, or what stands on it, asks DHCP and is started."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.unit.guest.fake_families import FakeFamily
from tests.unit.guest.fake_guest import FakeGuest

from smc.guest import network
from smc.guest.detect import detect
from smc.model.plan import IpMode
from smc.model.report import Check

IFCFG = "/etc/sysconfig/network-scripts"
KEYFILES = "/etc/NetworkManager/system-connections"
NETWORKD = "/etc/systemd/network"
NETPLAN = "/etc/netplan/01.yaml"
INTERFACES = "/etc/network/interfaces"


def planted(folder: Path, files: Mapping[str, str], family: str = "") -> FakeGuest:
    """A system with these files and no other ones of a network."""
    guest = FakeFamily(folder, family) if family else FakeGuest(folder)
    for place in (IFCFG, KEYFILES, NETWORKD, "/etc/netplan", "/etc/network"):
        shutil.rmtree(guest.root / place.lstrip("/"), ignore_errors=True)
    for path, text in files.items():
        guest.write(path, text)
    return guest


def adapt(guest: FakeGuest, mode: IpMode = IpMode.DHCP) -> list[Check]:
    checks = network.adapt(guest.files, detect(guest.files), mode)
    before = {path: path.read_bytes() for path in guest.root.rglob("*") if path.is_file()}
    network.adapt(guest.files, detect(guest.files), mode)
    assert {path: path.read_bytes() for path in guest.root.rglob("*") if path.is_file()} == before
    return checks


def effective(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("method", ["static\n    address 2001:db8::10/64\n    gateway 2001:db8::1", "auto"])
def test_ifupdown_with_ipv6_alone_asks_for_an_address_of_ipv4_too(tmp_path: Path, method: str) -> None:
    guest = planted(tmp_path, {INTERFACES: f"auto ens192\niface ens192 inet6 {method}\n"})
    adapt(guest)
    assert effective(guest.read(INTERFACES)) == [
        "auto ens192", "iface ens192 inet6 auto", "iface ens192 inet dhcp",
    ]  # fmt: skip


def test_ifupdown_with_several_stanzas_of_a_card_asks_dhcp_once(tmp_path: Path) -> None:
    text = (
        "auto ens192 ens224\niface ens224 inet dhcp\niface ens192 inet static\n    address 192.0.2.10/24\n"
        "iface ens192 inet static\n    address 192.0.2.11/24\n    gateway 192.0.2.1\n    mtu 1400\n"
    )
    guest = planted(tmp_path, {INTERFACES: text})
    adapt(guest)
    assert effective(guest.read(INTERFACES)) == [
        "auto ens192", "iface ens224 inet dhcp", "iface ens192 inet dhcp", "iface ens192 inet manual",
        "mtu 1400",
    ]  # fmt: skip


def test_ifupdown_starts_the_card_of_a_vlan_though_nothing_speaks_of_it(tmp_path: Path) -> None:
    text = "auto ens192.5\niface ens192.5 inet static\n    address 192.0.2.10/24\n    gateway 192.0.2.1\n"
    guest = planted(tmp_path, {INTERFACES: text})
    adapt(guest)
    assert effective(guest.read(INTERFACES))[-2:] == ["auto ens192", "iface ens192 inet dhcp"]


def test_networkmanager_makes_a_profile_for_the_card_of_a_vlan_though_nothing_speaks_of_it(
    tmp_path: Path,
) -> None:
    text = (
        "[connection]\nid=v\ntype=vlan\ninterface-name=ens192.5\n\n[vlan]\nid=5\nparent=ens192\n\n"
        "[ipv4]\nmethod=manual\naddress1=192.0.2.10/24,192.0.2.1\n"
    )
    guest = planted(tmp_path, {f"{KEYFILES}/v.nmconnection": text})
    adapt(guest)
    assert "autoconnect=false" in guest.read(f"{KEYFILES}/v.nmconnection")
    made = guest.root / f"{KEYFILES}/smc-ens192.nmconnection".lstrip("/")
    assert effective(made.read_text()) == [
        "[connection]", "id=ens192", "type=ethernet", "interface-name=ens192", "[ipv4]", "method=auto",
    ]  # fmt: skip
    assert made.stat().st_mode & 0o777 == 0o600, "NetworkManager reads no other ones"


def test_networkd_asks_dhcp_by_the_file_of_a_card_with_a_name_of_its_own(tmp_path: Path) -> None:
    files = {
        f"{NETWORKD}/10-lan0.network": "[Match]\nName=lan0\n\n[Network]\nVLAN=v5\n",
        f"{NETWORKD}/20-v5.netdev": "[NetDev]\nName=v5\nKind=vlan\n\n[VLAN]\nId=5\n",
        f"{NETWORKD}/20-v5.network": "[Match]\nName=v5\n\n[Network]\n"
        "Address=192.0.2.10/24\nGateway=192.0.2.1\n",
    }
    guest = planted(tmp_path, files)
    adapt(guest)
    assert "DHCP=yes" in effective(guest.read(f"{NETWORKD}/10-lan0.network"))
    assert "DHCP=yes" not in effective(guest.read(f"{NETWORKD}/20-v5.network"))


def test_ifcfg_makes_a_file_for_the_card_of_a_vlan_though_nothing_speaks_of_it(tmp_path: Path) -> None:
    text = "DEVICE=ens192.5\nVLAN=yes\nIPADDR=192.0.2.10\nPREFIX=24\nGATEWAY=192.0.2.1\nONBOOT=yes\n"
    guest = planted(tmp_path, {f"{IFCFG}/ifcfg-ens192.5": text}, "centos-7")
    adapt(guest)
    assert 'ONBOOT="no"' in guest.read(f"{IFCFG}/ifcfg-ens192.5")
    made = effective(guest.read(f"{IFCFG}/ifcfg-ens192"))
    assert made == ["DEVICE=ens192", "BOOTPROTO=dhcp", "ONBOOT=yes"]


@pytest.mark.parametrize(
    ("section", "led", "leader"), [("bridges", "interfaces: [eno1]", "br0"), ("vlans", "link: eno1", "eno1")]
)
def test_netplan_sees_a_card_in_one_line_below_a_bridge_or_a_vlan(
    tmp_path: Path, section: str, led: str, leader: str
) -> None:
    text = (
        f"network:\n  ethernets:\n    eno1: {{dhcp4: no}}\n  {section}:\n    br0:\n      {led}\n"
        "      addresses: [192.0.2.10/24]\n      gateway4: 192.0.2.1\n"
    )
    guest = planted(tmp_path, {NETPLAN: text}, "ubuntu-22.04")
    checks = adapt(guest)
    assert checks[0].finding.startswith(f"{leader} ")
    if leader == "eno1":
        assert "dhcp4: true" in effective(guest.read("/etc/netplan/99-smc-eno1.yaml"))
    else:
        assert "dhcp4: true" in effective(guest.read(NETPLAN))
    assert "gateway4: 192.0.2.1" not in effective(guest.read(NETPLAN))


@pytest.mark.parametrize("style", ["ifcfg", "ifupdown", "networkmanager"])
def test_a_card_that_is_not_started_is_not_the_one_in_use(tmp_path: Path, style: str) -> None:
    static = "method=manual\naddress1=192.0.2.10/24,192.0.2.1\n"
    files = {
        "ifcfg": {
            f"{IFCFG}/ifcfg-em1": "DEVICE=em1\nTYPE=Ethernet\nBOOTPROTO=dhcp\nONBOOT=no\n",
            f"{IFCFG}/ifcfg-em2": "DEVICE=em2\nTYPE=Ethernet\nBOOTPROTO=dhcp\nONBOOT=yes\n",
        },
        "ifupdown": {
            INTERFACES: "iface em1 inet static\n  address 192.0.2.10/24\n  gateway 192.0.2.1\n"
            "auto em2\niface em2 inet dhcp\n"
        },
        "networkmanager": {
            f"{KEYFILES}/1.nmconnection": "[connection]\ntype=ethernet\nautoconnect=false\n"
            f"interface-name=em1\n[ipv4]\n{static}",
            f"{KEYFILES}/2.nmconnection": "[connection]\ntype=ethernet\n"
            "interface-name=em2\n[ipv4]\nmethod=auto\n",
        },
    }[style]
    guest = planted(tmp_path, files, "centos-7" if style == "ifcfg" else "")
    checks = adapt(guest)
    assert checks[0].finding.startswith("em2 gets its address by DHCP")
    if style == "ifcfg":
        assert "ONBOOT=yes" in guest.read(f"{IFCFG}/ifcfg-em2")


@pytest.mark.parametrize("mode", list(IpMode))
def test_ifcfg_with_a_second_address_as_an_alias_starts_the_card_itself(tmp_path: Path, mode: IpMode) -> None:
    card = "DEVICE=eth0\nTYPE=Ethernet\nBOOTPROTO=static\nIPADDR=192.0.2.10\nPREFIX=24\nONBOOT=yes\n"
    alias = "DEVICE=eth0:1\nTYPE=Ethernet\nIPADDR=192.0.2.11\nPREFIX=24\nGATEWAY=192.0.2.1\nONBOOT=yes\n"
    guest = planted(tmp_path, {f"{IFCFG}/ifcfg-eth0": card, f"{IFCFG}/ifcfg-eth0:1": alias}, "centos-7")
    checks = adapt(guest, mode)
    assert checks[0].finding.startswith("eth0 ")
    assert "ONBOOT=yes" in guest.read(f"{IFCFG}/ifcfg-eth0")
    left = effective(guest.read(f"{IFCFG}/ifcfg-eth0:1"))
    if mode is IpMode.KEEP:
        assert "\n".join(left) == alias.strip()
    else:
        assert "ONPARENT=no" in left
        assert not [line for line in left if line.startswith("IPADDR")]


def test_bridges_on_one_another_end(tmp_path: Path) -> None:
    names = [f"br{number}" for number in range(40)]
    bridges = "".join(f"    {name}:\n      interfaces: [{', '.join(names)}, eno1]\n" for name in names)
    loop = "    v:\n      link: v\n      interfaces: [v, eno1]\n      gateway4: 192.0.2.1\n"
    text = f"network:\n  ethernets:\n    eno1:\n      dhcp4: no\n  bridges:\n{bridges}  vlans:\n{loop}"
    guest = planted(tmp_path, {NETPLAN: text}, "ubuntu-22.04")
    network.adapt(guest.files, detect(guest.files), IpMode.DHCP)
    assert "dhcp4: true" in guest.read(NETPLAN)


def test_a_bridge_with_taps_of_machines_in_it_stands_on_its_card(tmp_path: Path) -> None:
    text = "auto br0\niface br0 inet dhcp\n    bridge_ports tap0 eno1\n"
    guest = planted(tmp_path, {INTERFACES: text})
    assert adapt(guest)[0].finding.startswith("br0 on eno1 ")


@pytest.mark.parametrize(
    "files",
    [
        {
            f"{KEYFILES}/a.nmconnection": "[connection]\nid=a\ntype=bond\ntype=ethernet\n"
            "interface-name=ens192\n[ipv4]\nmethod=manual\naddress1=192.0.2.10/24,192.0.2.1\n"
        },
        {
            INTERFACES: "auto ens192\niface ens192 inet static\n  address 192.0.2.9/24\n  gateway 192.0.2.1\n"
            "iface\n  bond-master ens192\n"
        },
    ],
    ids=["networkmanager", "ifupdown"],
)
def test_a_file_that_says_a_thing_twice_or_by_half_is_read_as_far_as_it_goes(
    tmp_path: Path, files: dict[str, str]
) -> None:
    guest = planted(tmp_path, files)
    assert adapt(guest)[0].finding.startswith("ens192 gets its address by DHCP")
