"""What other places and old disks left in a system: cloud-init, guest tools, crypttab, LVM, SELinux."""

import stat
import time
from pathlib import Path

import pytest
from tests.unit.guest.fake_families import FakeFamily
from tests.unit.guest.fake_guest import SWAP, VOLUMES, FakeGuest

from smc.guest import cloudinit, old_devices, origins, selinux
from smc.guest.expressions import Matcher
from smc.model.plan import IpMode
from smc.model.report import Level

CONTEXTS = """/.*\tsystem_u:object_r:default_t:s0
/etc/.*\tsystem_u:object_r:etc_t:s0
/etc/systemd/network(/.*)?\tsystem_u:object_r:net_conf_t:s0
/boot/.*\t--\tsystem_u:object_r:boot_t:s0
/proc\t-d\t<<none>>
/srv/(broken\tsystem_u:object_r:x_t:s0
"""


def test_cloud_init_that_was_tied_to_another_cloud_finds_the_new_one_and_keeps_name_and_keys(
    tmp_path: Path,
) -> None:
    guest = FakeFamily(tmp_path, "ubuntu-22.04")
    (check,) = cloudinit.adapt(guest.files, IpMode.DHCP)
    assert "only for Azure (Azure)" in check.finding
    assert guest.read(cloudinit.OURS) == (
        "# Written when this server was migrated.\npreserve_hostname: true\nssh_deletekeys: false\n"
        "datasource_list: [ AliYun, NoCloud, None ]\n"
    )
    assert cloudinit.datasources(guest.files)[0] == "AliYun"
    assert cloudinit.adapt(guest.files, IpMode.DHCP) == [check], "a second time it is told again"


def test_cloud_init_that_looks_everywhere_goes_on_to(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "ubuntu-22.04")
    guest.write("/etc/cloud/cloud.cfg.d/90_dpkg.cfg", "datasource_list:\n  - NoCloud\n  - AliYun\n")
    assert cloudinit.adapt(guest.files, IpMode.KEEP) == []
    text = guest.read(cloudinit.OURS)
    assert "datasource_list" not in text
    assert text.endswith("network: {config: disabled}\n"), "static addresses are not written over"


def test_without_cloud_init_nothing_is_written(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    assert cloudinit.adapt(guest.files, IpMode.DHCP) == []
    assert not (guest.root / "etc/cloud").exists()


def test_a_service_that_would_set_the_copy_up_anew_is_disabled_and_stays_installed(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "ubuntu-22.04")
    (check,) = origins.clean(guest.files)
    assert (check.level, "disabled: walinuxagent.service" in check.finding) == (Level.INFORMATION, True)
    assert not (guest.root / "etc/systemd/system/multi-user.target.wants/walinuxagent.service").is_symlink()
    assert (guest.root / "usr/lib/systemd/system/walinuxagent.service").exists()


@pytest.mark.parametrize("origin", [o for o in origins.ORIGINS if o.programs], ids=lambda o: o.name)
def test_tools_of_each_origin_are_told(tmp_path: Path, origin: origins.Origin) -> None:
    guest = FakeGuest(tmp_path)
    guest.write(origin.programs[0], "")
    found = [check for check in origins.clean(guest.files) if origin.name in check.finding]
    assert bool(found) is (origin.name not in origins.WELCOME)


def test_the_agent_of_the_hypervisor_that_the_new_machine_has_too_stays(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    link = "etc/systemd/system/dev-virtio.device.wants/qemu-guest-agent.service"
    guest.write(f"/{link}", "")
    origins.clean(guest.files)
    assert (guest.root / link).exists()


def test_crypttab_names_nothing_that_a_start_would_wait_for(tmp_path: Path) -> None:
    guest = FakeGuest(tmp_path)
    kept = f"swap UUID={SWAP} /dev/urandom swap\nfile /var/secret.img none\n"
    guest.write(
        "/etc/crypttab", f"# target source key\nroot UUID=of-luks none luks\ndata /dev/sdb1 /key\n{kept}"
    )
    (check,) = old_devices.forget(guest.files, VOLUMES)
    assert "root, data of /etc/crypttab" in check.finding
    assert guest.read("/etc/crypttab") == (
        f"# target source key\n#root UUID=of-luks none luks\n#data /dev/sdb1 /key\n{kept}"
    )
    assert old_devices.forget(guest.files, VOLUMES) == []


def test_lvm_does_not_look_for_the_disks_of_the_old_machine(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "almalinux-9")
    old_devices.forget(guest.files, VOLUMES)
    assert not list((guest.root / "etc/lvm/devices").iterdir())


@pytest.mark.parametrize(
    ("filter_line", "told"),
    [
        ('filter = [ "a|^/dev/sda|", "r|.*|" ]', True),
        ('filter = [ "a|^/dev/vda|", "r|.*|" ]', False),
        ('filter = [ "a|.*|" ]', False),
        ('# filter = [ "a|^/dev/sda|", "r|.*|" ]', False),
    ],
)
def test_a_filter_of_lvm_that_leaves_the_new_disks_out_is_told(
    tmp_path: Path, filter_line: str, told: bool
) -> None:
    guest = FakeGuest(tmp_path)
    guest.write("/etc/lvm/lvm.conf", f"devices {{\n\t{filter_line}\n}}\n")
    assert bool(old_devices.forget(guest.files, VOLUMES)) is told


@pytest.mark.parametrize(
    ("path", "mode", "label"),
    [
        ("/etc/fstab", stat.S_IFREG, "etc_t"),
        ("/etc/systemd/network/10-x.link", stat.S_IFREG, "net_conf_t"),
        ("/boot/initramfs.img", stat.S_IFREG, "boot_t"),
        ("/boot/x", stat.S_IFDIR, "default_t"),
        ("/proc", stat.S_IFDIR, "<<none>>"),
    ],
)
def test_the_last_line_of_the_policy_that_fits_gives_the_label(path: str, mode: int, label: str) -> None:
    assert label in selinux.label_of(selinux.rules_of(CONTEXTS), path, mode, Matcher(10_000))


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("/lib/modules/6.1/modules.dep", "/usr/lib/modules/6.1/modules.dep"),
        ("/etc/systemd/system", "/usr/lib/systemd/system"),
        ("/opt/of/site", "/usr/share/site"),
        ("/library/x", "/library/x"),
        ("/srv/lib/x", "/srv/lib/x"),
    ],
)
def test_a_folder_that_the_policy_likens_to_another_has_that_one_s_labels(path: str, other: str) -> None:
    own = selinux.likened_of("/opt/of /usr/share\n")
    dist = selinux.likened_of("# /etc /usr\n\n/lib /usr/lib\n/etc/systemd/system /usr/lib/systemd/system\n")
    assert selinux.liken([own, dist], path) == other


def test_a_path_by_itself_counts_more_than_an_expression_behind_it() -> None:
    text = "/etc/shadow -- of_shadow\n/etc/.* -- of_etc\n/dev/.* -c of_devices\n"
    rules = selinux.in_order(selinux.rules_of(text))
    assert selinux.label_of(rules, "/etc/shadow", stat.S_IFREG, Matcher(10_000)) == "of_shadow"
    assert selinux.label_of(rules, "/dev/fifo", stat.S_IFIFO, Matcher(10_000)) == ""


def test_where_an_expression_is_not_read_no_other_one_is_taken_for_it() -> None:
    rules = selinux.rules_of("/.* default\n/etc/[[:alpha:]]+ of_etc\n")
    assert selinux.label_of(rules, "/etc/x", stat.S_IFREG, Matcher(10_000)) == ""
    assert selinux.label_of(rules, "/usr/x", stat.S_IFREG, Matcher(10_000)) == "default"


def test_a_policy_without_a_label_for_a_new_file_makes_the_copy_label_itself(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "almalinux-9")
    guest.convert()
    assert (guest.root / ".autorelabel").exists()
    assert selinux.judge(guest.files).level is Level.WARNING


def test_a_hostile_policy_does_not_hold_the_conversion_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smc.guest.selinux.STEPS", 100_000)
    guest = FakeFamily(tmp_path, "almalinux-9")
    lines = (f"/(([^/]*)*(/.*)*)*{number}  --  system_u:object_r:etc_t:s0\n" for number in range(5000))
    guest.write("/etc/selinux/targeted/contexts/files/file_contexts", "".join(lines))
    began = time.process_time()
    guest.convert()
    assert time.process_time() - began < 30
    assert (guest.root / ".autorelabel").exists(), "the copy labels itself"


def test_selinux_that_is_off_gets_nothing(tmp_path: Path) -> None:
    guest = FakeFamily(tmp_path, "centos-7")
    guest.convert()
    assert not (guest.root / ".autorelabel").exists()
    assert selinux.judge(guest.files).level is Level.PASSED
