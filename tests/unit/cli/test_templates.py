"""The command line keeps parameters in templates, and makes jobs with them."""

import json

from tests.unit.center.running import Center
from tests.unit.cli.conftest import Smc


def test_a_template_is_made_shown_changed_used_and_deleted(smc: Smc, running: Center) -> None:
    words = ("--image-prefix", "web", "--system-disk-gib", "40", "--public", "--tag", "team=shop")
    transfer = ("--bandwidth-limit", "50", "--exclude", "/var/cache/", "--ip-mode", "keep")
    status, printed, _ = smc("template", "create", "web", *words, *transfer, "--json")
    assert status == 0
    template = json.loads(printed)["TemplateId"]
    listed = smc("template", "list")[1]
    for word in (template, "web", "SystemDiskSize=40", "NetMode=0"):
        assert word in listed
    assert smc("template", "modify", template, "--compress-level", "3", "--clear", "IpMode")[0] == 0
    (held,) = json.loads(smc("template", "list", "--json")[1])["Templates"]["Template"]
    assert json.loads(held["Parameters"]["ReplicationParameters"]) == {
        "bandwidth_limit": 50,
        "compress_level": 3,
    }
    assert "IpMode" not in held["Parameters"]
    source = running.import_server().source_id
    job = json.loads(smc("job", "create", source, "--template", template, "--json")[1])["JobId"]
    assert json.loads(smc("job", "show", job, "--json")[1])["SystemDiskSize"] == 40
    assert smc("template", "delete", template) == (0, f"deleted {template}\n", "")


def test_what_cannot_be_kept_is_refused_with_its_cure(smc: Smc) -> None:
    for words, code in (
        (("template", "create", "1st"), "InvalidParameter.Name"),
        (("template", "create", "web", "--vswitch", "vsw-none"), "InvalidVSwitchId.NotFound"),
        (("template", "modify", "t-none", "--private"), "InvalidTemplateId.NotFound"),
        (("template", "delete", "t-none"), "InvalidTemplateId.NotFound"),
    ):
        status, _, said = smc(*words)
        assert status == 1
        assert f"[{code}]" in said
