"""Workgroups as the official SDK sees them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import SCHEMES, call, client_of, refused
from tests.conformance.test_smc_sdk_jobs import create as create_job
from tests.conformance.test_smc_sdk_jobs import described as job_described
from tests.unit.center.running import Center, center
from tests.unit.center.servers import server

from smc.base.errors import UserError
from smc.center.quotas import Quotas
from smc.center.store.jobs import NewJob
from smc.center.store.values import JobRequest
from smc.center.store.workgroups import require_image
from smc.model.job import DrillStatus, JobStatus
from smc.model.progress import Failure
from smc.wire.orders import Enrol

Described = Any  # a workgroup as the SDK, which has no types, gives it
SMALL = Quotas(workgroups=3, workgroup_sources=2)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Center]:
    with center(tmp_path, agents=False, quotas=SMALL) as running:
        yield running


def source(running: Center, name: str = "web-1") -> str:
    return running.import_server(server(fingerprint=name, hostname=name)).source_id


def all_sources(sdk: Client) -> list[str]:
    found = sdk.describe_source_servers(models.DescribeSourceServersRequest()).body
    return [each.source_id for each in found.source_servers.source_server]


def create(sdk: Client, **values: object) -> str:
    workgroup: str = sdk.create_workgroup(models.CreateWorkgroupRequest(**values)).body.workgroup_id
    return workgroup


def described(sdk: Client, **wanted: object) -> list[Described]:
    answer = sdk.describe_workgroups(models.DescribeWorkgroupsRequest(**wanted)).body
    found: list[Described] = answer.workgroups.workgroup
    return found


def associate(sdk: Client, workgroup: str, *sources: str) -> None:
    sdk.associate_source_servers(
        models.AssociateSourceServersRequest(workgroup_id=workgroup, source_id=list(sources))
    )


def disassociate(sdk: Client, workgroup: str, *sources: str) -> None:
    sdk.disassociate_source_servers(
        models.DisassociateSourceServersRequest(workgroup_id=workgroup, source_id=list(sources))
    )


def set_status(running: Center, job: str, status: JobStatus, failure: Failure | None = None) -> None:
    """Its run ends so."""
    run = running.parts.store.runs.current(job)
    assert run is not None
    assert running.parts.store.jobs.end(run, status, failure=failure)


def set_drill(running: Center, job: str, drill: DrillStatus) -> None:
    """Its migration test ended so."""
    database = running.parts.store.jobs._database
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET drill = ? WHERE id = ?", (drill.value, job))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_workgroup_lives_its_life(running: Center, scheme: str) -> None:
    sdk = client_of(running, scheme)
    workgroup = create(
        sdk,
        name="wave-1.a",
        description="the first wave",
        tag=[models.CreateWorkgroupRequestTag(key="team", value="shop")],
    )
    assert workgroup.startswith("w-lcl")
    (found,) = described(sdk)
    assert (found.workgroup_id, found.name, found.description) == (workgroup, "wave-1.a", "the first wave")
    assert (found.status, found.warnings.warning) == ("NotStarted", [])
    assert [(tag.key, tag.value) for tag in found.tags.tag] == [("team", "shop")]
    sdk.modify_workgroup_attribute(
        models.ModifyWorkgroupAttributeRequest(workgroup_id=workgroup, name="wave-2", description="later")
    )
    (found,) = described(sdk, name="wave-2")
    assert found.description == "later"
    sdk.delete_workgroup(models.DeleteWorkgroupRequest(workgroup_id=workgroup))
    assert described(sdk) == []
    with refused("InvalidWorkgroupId.NotFound"):
        sdk.delete_workgroup(models.DeleteWorkgroupRequest(workgroup_id=workgroup))
    with refused("InvalidWorkgroupId.NotFound"):
        sdk.modify_workgroup_attribute(models.ModifyWorkgroupAttributeRequest(workgroup_id=workgroup))


def test_a_repeated_creation_is_the_same_workgroup(sdk: Client) -> None:
    first = create(sdk, name="wave", client_token="once")
    assert create(sdk, name="wave", client_token="once") == first
    with refused("IdempotentParameterMismatch"):
        create(sdk, name="other", client_token="once")
    assert len(described(sdk)) == 1


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"name": "x"}, "InvalidParameter.Name"),
        ({"name": "1wave"}, "InvalidParameter.Name"),
        ({"name": "a" * 65}, "InvalidParameter.Name"),
        ({"name": "wave", "description": "x"}, "InvalidParameter.Description"),
        ({"name": "wave", "description": "http://here"}, "InvalidParameter.Description"),
        ({"name": "wave", "description": "x" * 257}, "InvalidParameter.Description"),
        ({"name": "wave", "client_token": "x" * 65}, "InvalidParameter.ClientToken"),
        ({"tag": [models.CreateWorkgroupRequestTag(key="acs:x")]}, "InvalidParameter.Tag.Key"),
        ({"tag": [models.CreateWorkgroupRequestTag(key=f"k{n}") for n in range(21)]}, "NumberExceed.Tags"),
    ],
)
def test_a_workgroup_outside_the_rules_is_refused(sdk: Client, values: dict[str, object], code: str) -> None:
    with refused(code):
        create(sdk, **values)
    assert described(sdk) == []


def test_names_are_unique_and_the_number_is_limited(sdk: Client) -> None:
    create(sdk, name="one")
    with refused("WorkgroupName.Duplicate"):
        create(sdk, name="one")
    two = create(sdk, name="two")
    create(sdk)
    with refused("QuotaExceeded.Workgroup", match="3 workgroups"):
        create(sdk, name="four")
    with refused("WorkgroupName.Duplicate"):
        sdk.modify_workgroup_attribute(models.ModifyWorkgroupAttributeRequest(workgroup_id=two, name="one"))
    sdk.modify_workgroup_attribute(models.ModifyWorkgroupAttributeRequest(workgroup_id=two, name="two"))


def test_workgroups_come_in_pages_and_are_filtered_by_all_that_is_given(running: Center, sdk: Client) -> None:
    tag = models.CreateWorkgroupRequestTag(key="team", value="shop")
    one, two, three = (create(sdk, name=name, tag=[tag]) for name in ("one", "two", "three"))
    answer = sdk.describe_workgroups(models.DescribeWorkgroupsRequest(page_size=2, page_number=2)).body
    assert (answer.total_count, answer.page_number, answer.page_size) == (3, 2, 2)
    assert [found.workgroup_id for found in answer.workgroups.workgroup] == [one]
    associate(sdk, two, source(running))

    def ids(**wanted: object) -> set[str]:
        return {found.workgroup_id for found in described(sdk, **wanted)}

    assert ids(workgroup_id=[two, three]) == {two, three}
    assert ids(status="NotStarted", name="three") == {three}
    assert ids(status="Completed") == set()
    with_team = [models.DescribeWorkgroupsRequestTag(key="team")]
    assert ids(tag=with_team) == {one, two, three}
    assert ids(tag=[models.DescribeWorkgroupsRequestTag(key="team", value="bank")]) == set()
    with refused("InvalidParameter.Status"):
        ids(status="Asleep")
    with refused("InvalidParameter.WorkgroupId"):
        ids(workgroup_id=["w-1"] * 51)


def test_a_source_is_in_one_workgroup_at_most(running: Center, sdk: Client) -> None:
    one, two = create(sdk, name="one"), create(sdk, name="two")
    web = source(running)
    associate(sdk, one, web)
    associate(sdk, one, web)
    with refused("Workgroup.SourceAssociated", match=one):
        associate(sdk, two, web)
    with refused("Workgroup.SourceAssociated", match=one):
        disassociate(sdk, two, web)
    request = models.DescribeSourceServersRequest(workgroup_id=one)
    (found,) = sdk.describe_source_servers(request).body.source_servers.source_server
    assert (found.source_id, found.workgroup_id) == (web, one)
    assert sdk.describe_source_servers(
        models.DescribeSourceServersRequest(workgroup_id=two)
    ).body.total_count == (0)
    assert job_described(sdk, create_job(sdk, web)).workgroup_id == one
    with refused("Workgroup.NotEmpty"):
        sdk.delete_workgroup(models.DeleteWorkgroupRequest(workgroup_id=one))
    disassociate(sdk, one, web)
    disassociate(sdk, one, web)
    associate(sdk, two, web)
    sdk.delete_workgroup(models.DeleteWorkgroupRequest(workgroup_id=one))


def test_sources_join_all_or_none(running: Center, sdk: Client) -> None:
    workgroup = create(sdk)
    sources = [source(running, f"host-{number}") for number in range(3)]
    with refused("QuotaExceeded.WorkgroupSourceServer", match="2 migration sources"):
        associate(sdk, workgroup, *sources)
    with refused("InvalidSourceId.NotFound"):
        associate(sdk, workgroup, sources[0], "s-none")
    with refused("InvalidParameter.SourceId"):
        associate(sdk, workgroup, *["s-1"] * 51)
    with refused("MissingParameter.SourceId"):
        associate(sdk, workgroup)
    with refused("InvalidWorkgroupId.NotFound"):
        associate(sdk, "w-none", sources[0])
    with refused("MissingParameter.WorkgroupId"):
        sdk.associate_source_servers(models.AssociateSourceServersRequest(source_id=sources))
    found = sdk.describe_source_servers(models.DescribeSourceServersRequest(workgroup_id=workgroup)).body
    assert found.total_count == 0


def test_a_deleted_source_leaves_its_workgroup(running: Center, sdk: Client) -> None:
    workgroup, web = create(sdk), source(running)
    associate(sdk, workgroup, web)
    sdk.delete_source_server(models.DeleteSourceServerRequest(source_id=web))
    sdk.delete_workgroup(models.DeleteWorkgroupRequest(workgroup_id=workgroup))


def test_status_and_warnings_come_from_the_jobs(running: Center, sdk: Client) -> None:
    workgroup = create(sdk)
    web, db = sorted((source(running, "web"), source(running, "db")))
    associate(sdk, workgroup, web, db)

    def stand() -> tuple[str, dict[str, list[str]]]:
        (found,) = described(sdk)
        return found.status, {w.warning_type: w.source_ids.source_id for w in found.warnings.warning}

    assert stand() == ("NotStarted", {"UnRelated": [web, db]})
    job = create_job(sdk, web)
    assert stand() == ("NotStarted", {"UnRelated": [db]})
    told = call(sdk, "DescribeEvents", WorkgroupId=[workgroup])["Events"]["Event"]
    assert any(event["JobId"] == job for event in told), "events know the workgroup"
    sdk.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    assert stand() == ("InProgress", {"UnRelated": [db]})
    set_status(running, job, JobStatus.IN_ERROR, Failure.of(UserError("no", code="Disk.Full")))
    assert stand() == ("InProgress", {"UnRelated": [db], "InError": [web]})
    set_drill(running, job, DrillStatus.CRITICAL)
    assert stand() == ("InProgress", {"UnRelated": [db], "InError": [web], "NotPassed": [web]})
    other = create_job(sdk, db, image_name="db_image")
    set_drill(running, job, DrillStatus.PASSED)
    for each in (job, other):
        sdk.start_replication_job(models.StartReplicationJobRequest(job_id=each))
        set_status(running, each, JobStatus.FINISHED)
    assert stand() == ("Completed", {})


def test_an_activation_code_imports_straight_into_a_workgroup(running: Center, sdk: Client) -> None:
    workgroup = create(sdk)
    made = call(sdk, "CreateAccessToken", WorkgroupId=workgroup, Count=5)
    assert call(sdk, "ListAccessTokens")["AccessTokens"]["AccessToken"][0]["WorkgroupId"] == workgroup

    def enrol(name: str) -> str:
        request = Enrol(
            token_id=made["AccessTokenId"],
            token_code=made["AccessTokenCode"],
            server=server(fingerprint=name, hostname=name),
            csr="",
        )
        return running.parts.store.sources.enrol(request, "192.0.2.1")[0].workgroup

    assert [enrol("a"), enrol("b"), enrol("a")] == [workgroup] * 3
    with pytest.raises(UserError, match="2 migration sources") as raised:
        enrol("c")
    assert raised.value.code == "QuotaExceeded.WorkgroupSourceServer"
    disassociate(sdk, workgroup, *all_sources(sdk))
    sdk.delete_workgroup(models.DeleteWorkgroupRequest(workgroup_id=workgroup))
    assert enrol("c") == "", "a workgroup that is gone stops nobody"
    with refused("InvalidWorkgroupId.NotFound"):
        call(sdk, "CreateAccessToken", WorkgroupId=workgroup)


def test_a_source_with_rounds_to_an_instance_joins_no_workgroup(running: Center, sdk: Client) -> None:
    workgroup, web = create(sdk), source(running)
    job = running.parts.store.jobs.find(create_job(sdk, web))
    assert job is not None
    running.parts.store.jobs.begin_deleting(job.id)
    running.parts.store.jobs.remove(job.id)
    new = NewJob(
        name="",
        description="",
        region_id="local",
        source_id=web,
        request=JobRequest(target_type="TargetInstance", run_once=False),
        plan=job.plan,
        valid_until=job.valid_until,
    )
    running.parts.store.jobs.create(new)
    with refused("Workgroup.ImageTargetOnly"):
        associate(sdk, workgroup, web)


def test_a_source_in_a_workgroup_has_rounds_to_images_only(running: Center, sdk: Client) -> None:
    workgroup, web = create(sdk), source(running)
    associate(sdk, workgroup, web)
    rounds: dict[str, object] = {"run_once": False, "frequency": 24, "max_number_of_image_to_keep": 2}
    job = create_job(sdk, web, **rounds)
    assert job_described(sdk, job).frequency == 24
    request = JobRequest(target_type="TargetInstance", run_once=False)
    with pytest.raises(UserError, match="images only"):
        require_image(web, workgroup, request)
    require_image(web, "", request)
