"""The command line groups, tags and starts sources together."""

import json

from tests.unit.center.running import Center
from tests.unit.center.servers import server
from tests.unit.cli.conftest import Smc


def source(running: Center, name: str) -> str:
    return running.import_server(server(fingerprint=name, hostname=name)).source_id


def test_a_workgroup_is_made_filled_shown_and_deleted(smc: Smc, running: Center) -> None:
    web, db = source(running, "web"), source(running, "db")
    status, printed, _ = smc("workgroup", "create", "wave-1", "--source", web, "--tag", "team=shop", "--json")
    assert status == 0
    workgroup = json.loads(printed)["WorkgroupId"]
    assert smc("workgroup", "add", workgroup, db)[1] == f"added to {workgroup}: {db}\n"
    listed = smc("workgroup", "list")[1]
    for word in (workgroup, "wave-1", "NotStarted", "UnRelated", web, db):
        assert word in listed
    assert json.loads(smc("workgroup", "list", "--json")[1])["TotalCount"] == 1
    assert smc("workgroup", "modify", workgroup, "--name", "wave-2")[1] == f"changed {workgroup}\n"
    status, _, said = smc("workgroup", "delete", workgroup)
    assert status == 1
    assert "[Workgroup.NotEmpty]" in said
    assert "->" in said
    assert smc("workgroup", "remove", workgroup, web, db)[0] == 0
    assert smc("workgroup", "delete", workgroup) == (0, f"deleted {workgroup}\n", "")


def test_jobs_of_a_workgroup_are_started_watched_and_cancelled(smc: Smc, running: Center) -> None:
    web, lone = source(running, "web"), source(running, "lone")
    workgroup = json.loads(
        smc("workgroup", "create", "wave", "--source", web, "--source", lone, "--json")[1]
    )["WorkgroupId"]
    job = json.loads(smc("job", "create", web, "--method", "create-only", "--json")[1])["JobId"]
    started = smc("workgroup", "start", workgroup, "--at-once", "2")[1]
    assert f"not {lone} : it has no job" in started
    batch = started.split()[1]
    shown = smc("workgroup", "batches", workgroup)[1]
    for word in (batch, workgroup, "Start", job, web, "Waiting"):
        assert word in shown
    assert smc("workgroup", "cancel", batch) == (0, f"cancelled {batch}\n", "")
    found = json.loads(smc("workgroup", "batches", "--json")[1])["Batches"]["Batch"]
    assert found[0]["Jobs"]["Job"][0]["State"] == "Cancelled"
    status, _, said = smc("workgroup", "cutover", workgroup)
    assert (status, "[Workgroup.NothingToDo]" in said) == (1, True)
    assert "BatchId" in json.loads(smc("workgroup", "start", workgroup, "--json")[1])


def test_tags_are_put_listed_and_taken_away(smc: Smc, running: Center) -> None:
    web = source(running, "web")
    assert smc("tag", "add", web, "team=shop", "stage=") == (0, f"tagged {web}\n", "")
    listed = smc("tag", "list", "sourceserver", "--tag", "team")[1]
    for word in (web, "team", "shop", "stage"):
        assert word in listed
    assert web not in smc("tag", "list", "sourceserver", "--tag", "team=bank")[1]
    assert smc("tag", "remove", web, "team")[0] == 0
    rows = json.loads(smc("tag", "list", "sourceserver", "--json")[1])["TagResources"]["TagResource"]
    assert [row["TagKey"] for row in rows] == ["stage"]
    assert smc("tag", "remove", web, "--all")[0] == 0
    assert json.loads(smc("tag", "list", "sourceserver", "--json")[1])["TagResources"]["TagResource"] == []


def test_a_tag_that_cannot_be_is_refused_with_its_cure(smc: Smc, running: Center) -> None:
    for words, code in (
        (("tag", "add", "s-1", "team"), "InvalidParameter.Tag"),
        (("tag", "add", "x-1", "team=shop"), "InvalidResourceId.NotFound"),
        (("tag", "remove", source(running, "web")), "MissingParameter.TagKey"),
        (("tag", "list", "disk"), "InvalidResourceType.NotFound"),
    ):
        status, _, said = smc(*words)
        assert status == 1
        assert f"[{code}]" in said
        assert "->" in said


def test_a_token_leads_into_a_workgroup(smc: Smc) -> None:
    workgroup = json.loads(smc("workgroup", "create", "wave", "--json")[1])["WorkgroupId"]
    assert smc("token", "create", "--workgroup", workgroup)[0] == 0
    listed = json.loads(smc("token", "list", "--json")[1])
    assert listed["AccessTokens"]["AccessToken"][0]["WorkgroupId"] == workgroup
    status, _, said = smc("token", "create", "--workgroup", "w-none")
    assert status == 1
    assert "[InvalidWorkgroupId.NotFound]" in said


def test_sources_and_jobs_are_listed_by_workgroup_tag_and_resource_group(smc: Smc, running: Center) -> None:
    web, db = source(running, "web"), source(running, "db")
    workgroup = json.loads(smc("workgroup", "create", "wave", "--source", web, "--json")[1])["WorkgroupId"]
    carried = ("--tag", "team=bank", "--resource-group", "rg-2", "--launch-template", "lt-1")
    job = json.loads(
        smc("job", "create", db, *carried, "--description", "to-go", "--method", "create-only", "--json")[1]
    )["JobId"]
    smc("tag", "add", web, "team=shop")
    assert smc("source", "modify", web, "--resource-group", "rg-1")[1] == f"changed {web}\n"
    for words, there, away in (
        (("source", "list", "--workgroup", workgroup), web, db),
        (("source", "list", "--tag", "team=shop"), web, db),
        (("source", "list", "--resource-group", "rg-1"), web, db),
        (("job", "list", "--tag", "team"), job, web),
        (("job", "list", "--resource-group", "rg-2"), job, web),
    ):
        listed = smc(*words)[1]
        assert there in listed
        assert away not in listed
    assert job not in smc("job", "list", "--tag", "team=shop")[1]
    assert job not in smc("job", "list", "--resource-group", "rg-1")[1]
    assert json.loads(smc("source", "list", "--resource-group", "rg-2", "--json")[1])["TotalCount"] == 0
    status, _, said = smc("job", "create", web, "--byol")
    assert (status, "[InvalidParameter.LicenseType]" in said) == (1, True)
