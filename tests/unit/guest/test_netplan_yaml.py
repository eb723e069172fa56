"""netplan files are edited by lines; a YAML reader judges that what comes out is what was meant."""

from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # a reader for tests alone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smc.guest.journal import Journal
from smc.guest.networks import blocks
from smc.guest.networks.netplan import STATIC, Netplan
from smc.guest.root import Root

PATH = "etc/netplan/01.yaml"
DOCUMENTS = {
    "installer of Ubuntu 18": (
        "# written by the installer\nnetwork:\n  ethernets:\n    ens160:\n      addresses: [192.0.2.5/24]\n"
        "      gateway4: 192.0.2.1\n      nameservers:\n        addresses: [192.0.2.53]\n  version: 2\n"
    ),
    "lists without indentation": (
        "network:\n  version: 2\n  renderer: networkd\n  ethernets:\n    ens160:\n      addresses:\n"
        "      - 192.0.2.5/24\n      - 2001:db8::5/64\n      routes:\n      - to: default\n"
        "        via: 192.0.2.1\n      mtu: 9000\n"
    ),
    "cloud-init": (
        "network:\n    version: 2\n    ethernets:\n        eth0:\n            dhcp4: true\n"
        "            dhcp6: false\n            match:\n                macaddress: 00:16:3e:00:00:01\n"
        "            set-name: eth0\n"
    ),
    "a label with a match": (
        'network:\n  version: 2\n  ethernets:\n    "lan":\n      match: {macaddress: "00:16:3e:00:00:01"}\n'
        "      addresses: ['192.0.2.5/24']\n"
    ),
    "two cards and a bond": (
        "network:\n  version: 2\n  ethernets:\n    eno1: {}\n    eno2:\n      dhcp4: no\n"
        "  bonds:\n    bond0:\n      interfaces: [eno1, eno2]\n      addresses: [192.0.2.5/24]\n"
    ),
}


def edited(tmp_path: Path, text: str) -> dict[str, dict[str, object]]:
    """The cards after all that may be done to the first of them."""
    at = tmp_path / PATH
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(text)
    root, style = Root(tmp_path, Journal()), Netplan()
    first, *others = style.interfaces(root)
    style.free(root, first)
    style.use_dhcp(root, style.interfaces(root)[0])
    for other in others:
        style.let_go(root, other)
    cards: dict[str, dict[str, object]] = yaml.safe_load(at.read_text())["network"]["ethernets"]
    return cards


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_the_first_card_asks_dhcp_and_is_bound_to_no_hardware(tmp_path: Path, name: str) -> None:
    before = yaml.safe_load(DOCUMENTS[name])["network"]
    cards = edited(tmp_path, DOCUMENTS[name])
    card = next(iter(cards.values()))
    assert card["dhcp4"] is True
    assert not set(card) & set(STATIC)
    match = card.get("match")
    assert match in (None, {"driver": "virtio_net"})
    after = yaml.safe_load((tmp_path / PATH).read_text())["network"]
    assert {key: after[key] for key in after if key != "ethernets"} == {
        key: before[key] for key in before if key != "ethernets"
    }
    assert set(after["ethernets"]) == set(before["ethernets"])


VALUES = st.sampled_from(["1", "true", "[a, b]", "{x: 1}", "'quoted: text'", '"a # b"', "plain"])
TREES = st.recursive(
    VALUES | st.lists(st.sampled_from(["a", "k: v"]), min_size=1, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from(["one", "two", "three-x", "four"]), inner, min_size=1),
    max_leaves=8,
)


def written(tree: object, indent: int) -> str:
    if isinstance(tree, str):
        return f" {tree}\n"
    pad = " " * indent
    if isinstance(tree, list):
        return "\n" + "".join(f"{pad}- {item}\n" for item in tree)
    assert isinstance(tree, dict)
    return "\n" + "".join(f"{pad}{key}:{written(value, indent + 2)}" for key, value in tree.items())


@given(st.dictionaries(st.sampled_from(["alpha", "beta", "gamma"]), TREES, min_size=1))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_keys_are_seen_where_a_yaml_reader_sees_them_and_one_that_is_commented_out_is_gone(
    tree: dict[str, object],
) -> None:
    text = "".join(f"{key}:{written(value, 2)}" for key, value in tree.items())
    meant = yaml.safe_load(text)
    for node in blocks.nodes(text):
        at = meant
        for key in node.path:
            at = at[key]
    last = blocks.nodes(text)[-1].path
    if len(last) == 1 and len(tree) > 1:
        left = yaml.safe_load(blocks.commented(text, lambda node: node.path == last))
        assert left == {key: value for key, value in meant.items() if key != last[0]}
