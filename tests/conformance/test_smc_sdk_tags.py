"""Tags as the official SDK sees them."""

import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from tests.conformance.smc_sdk import SCHEMES, call, client_of, refused
from tests.conformance.test_smc_sdk_jobs import create as create_job
from tests.unit.center.running import Center
from tests.unit.center.servers import server

Rows = list[tuple[str, str, str]]


def source(running: Center, name: str = "web-1") -> str:
    return running.import_server(server(fingerprint=name, hostname=name)).source_id


def put(sdk: Client, ids: list[str], kind: str = "sourceserver", **tags: str) -> None:
    pairs = [models.TagResourcesRequestTag(key=key, value=value) for key, value in tags.items()]
    sdk.tag_resources(models.TagResourcesRequest(resource_type=kind, resource_id=ids, tag=pairs))


def listed(sdk: Client, kind: str = "sourceserver", **wanted: object) -> Rows:
    request = models.ListTagResourcesRequest(resource_type=kind, **wanted)
    rows = sdk.list_tag_resources(request).body.tag_resources.tag_resource
    return [(row.resource_id, row.tag_key, row.tag_value) for row in rows]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tags_are_put_replaced_and_taken_away(running: Center, scheme: str) -> None:
    sdk = client_of(running, scheme)
    web, db = source(running, "web"), source(running, "db")
    put(sdk, [web, db], team="shop", Stage="")
    put(sdk, [db], team="bank")
    assert sorted(listed(sdk)) == sorted(
        [(web, "Stage", ""), (web, "team", "shop"), (db, "Stage", ""), (db, "team", "bank")]
    )
    request = models.ListTagResourcesRequest(resource_type="sourceserver", resource_id=[web])
    row = sdk.list_tag_resources(request).body.tag_resources.tag_resource[0]
    assert row.resource_type == "ALIYUN::SMC::SOURCESERVER"
    sdk.untag_resources(
        models.UntagResourcesRequest(
            resource_type="SourceServer", resource_id=[web, db], tag_key=["Stage", "none"], all=True
        )
    )
    assert sorted(listed(sdk)) == sorted([(web, "team", "shop"), (db, "team", "bank")]), "All yields to keys"
    sdk.untag_resources(
        models.UntagResourcesRequest(resource_type="sourceserver", resource_id=[db], all=True)
    )
    assert listed(sdk) == [(web, "team", "shop")]
    with refused("MissingParameter.TagKey"):
        sdk.untag_resources(models.UntagResourcesRequest(resource_type="sourceserver", resource_id=[db]))


def test_things_that_carry_all_tags_are_listed(running: Center, sdk: Client) -> None:
    web, db = source(running, "web"), source(running, "db")
    put(sdk, [web], team="shop", stage="live")
    put(sdk, [db], team="shop", stage="test")

    def having(*pairs: tuple[str, str | None]) -> set[str]:
        tags = [models.ListTagResourcesRequestTag(key=key, value=value) for key, value in pairs]
        return {row[0] for row in listed(sdk, tag=tags)}

    assert having(("team", "shop")) == {web, db}
    assert having(("team", "shop"), ("stage", "live")) == {web}
    assert having(("team", None), ("stage", "test")) == {db}
    assert having(("Team", "shop")) == set(), "keys are case-sensitive"
    assert having(("team", "sho")) == set(), "values are exact"
    with refused("InvalidParameter.TagValue"):
        having(("", "shop"))


def test_a_long_list_comes_in_pages(running: Center, sdk: Client) -> None:
    sources = sorted(source(running, f"host-{number}") for number in range(11))
    for first in range(0, 11, 5):
        put(sdk, sources[first : first + 5], **{f"key{number:02}": "x" for number in range(20)})
    rows, token, pages = [], "", 0
    while True:
        request = models.ListTagResourcesRequest(resource_type="sourceserver", next_token=token)
        body = sdk.list_tag_resources(request).body
        rows += [(row.resource_id, row.tag_key) for row in body.tag_resources.tag_resource]
        token, pages = body.next_token, pages + 1
        if not token:
            break
    assert rows == [(each, f"key{number:02}") for each in sources for number in range(20)]
    assert pages == 3
    for wrong in ("nothing", "e30=", "é"):
        with refused("InvalidParameter.NextToken"):
            listed(sdk, next_token=wrong)


def test_no_thing_has_more_than_twenty_tags(running: Center, sdk: Client) -> None:
    web = source(running)
    put(sdk, [web], **{f"key{number}": "x" for number in range(20)})
    with refused("NumberExceed.Tags", match=web):
        put(sdk, [web], one="more")
    put(sdk, [web], key0="changed")
    assert (web, "key0", "changed") in listed(sdk)
    assert len(listed(sdk)) == 20


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"resource_type": None}, "MissingParameter.ResourceType"),
        ({"resource_type": "disk"}, "InvalidResourceType.NotFound"),
        ({"resource_id": []}, "MissingParameter.ResourceId"),
        ({"resource_id": ["s-none"]}, "InvalidResourceId.NotFound"),
        ({"resource_id": ["s-1", "s-1"]}, "Duplicate.ResourceId"),
        ({"resource_id": [f"s-{number}" for number in range(51)]}, "NumberExceed.ResourceIds"),
        ({"tag": []}, "MissingParameter.Tag"),
        ({"tag": [("", "x")]}, "InvalidParameter.Tag.Key"),
        ({"tag": [("k" * 129, "x")]}, "InvalidParameter.Tag.Key"),
        ({"tag": [("aliyun-x", "x")]}, "InvalidParameter.Tag.Key"),
        ({"tag": [("acs:x", "x")]}, "InvalidParameter.Tag.Key"),
        ({"tag": [("see-http://x", "x")]}, "InvalidParameter.Tag.Key"),
        ({"tag": [("k", "v" * 129)]}, "InvalidParameter.Tag.Value"),
        ({"tag": [("k", "1"), ("k", "2")]}, "Duplicate.TagKey"),
        ({"tag": [(f"k{number}", "x") for number in range(21)]}, "NumberExceed.Tags"),
    ],
)
def test_tags_outside_the_rules_are_refused(
    refusing: tuple[Client, str], changes: dict[str, object], code: str
) -> None:
    sdk, web = refusing
    values: dict[str, object] = {"resource_type": "sourceserver", "resource_id": [web], "tag": [("k", "v")]}
    values |= changes
    pairs = values.pop("tag")
    assert isinstance(pairs, list)
    tags = [models.TagResourcesRequestTag(key=key, value=value) for key, value in pairs]
    with refused(code):
        sdk.tag_resources(models.TagResourcesRequest(**values, tag=tags))
    assert listed(sdk) == []


def test_sources_jobs_and_workgroups_are_found_by_their_tags(running: Center, sdk: Client) -> None:
    web, db = source(running, "web"), source(running, "db")
    job = create_job(sdk, web, tag=[models.CreateReplicationJobRequestTag(key="team", value="shop")])
    other = create_job(sdk, db, image_name="db")
    assert listed(sdk, "replicationjob") == [(job, "team", "shop")]
    put(sdk, [other], "replicationjob", team="bank")
    put(sdk, [web], team="shop")

    def jobs(**tags: str) -> list[str]:
        wanted = [models.DescribeReplicationJobsRequestTag(key=k, value=v) for k, v in tags.items()]
        answer = sdk.describe_replication_jobs(models.DescribeReplicationJobsRequest(tag=wanted)).body
        return [found.job_id for found in answer.replication_jobs.replication_job]

    assert (jobs(team="bank"), jobs(team="shop"), jobs(team="none")) == ([other], [job], [])
    wanted = [models.DescribeSourceServersRequestTag(key="team", value="shop")]
    answer = sdk.describe_source_servers(models.DescribeSourceServersRequest(tag=wanted)).body
    (found,) = answer.source_servers.source_server
    assert (found.source_id, [(tag.key, tag.value) for tag in found.tags.tag]) == (web, [("team", "shop")])
    workgroup = sdk.create_workgroup(
        models.CreateWorkgroupRequest(tag=[models.CreateWorkgroupRequestTag(key="wave", value="1")])
    ).body.workgroup_id
    put(sdk, [workgroup], "workgroup", wave="2")
    body = call(sdk, "ListTagResources", ResourceType="workgroup")
    assert body["TagResources"]["TagResource"] == [
        {
            "ResourceId": workgroup,
            "ResourceType": "ALIYUN::SMC::WORKGROUP",
            "TagKey": "wave",
            "TagValue": "2",
        }
    ]


def test_tags_go_with_the_thing(running: Center, sdk: Client) -> None:
    web = source(running)
    job = create_job(sdk, web, tag=[models.CreateReplicationJobRequestTag(key="team", value="shop")])
    workgroup = sdk.create_workgroup(models.CreateWorkgroupRequest()).body.workgroup_id
    put(sdk, [web], team="shop")
    put(sdk, [workgroup], "workgroup", team="shop")
    sdk.delete_source_server(models.DeleteSourceServerRequest(source_id=web, force=True))
    running.parts.store.jobs.remove(job)
    sdk.delete_workgroup(models.DeleteWorkgroupRequest(workgroup_id=workgroup))
    assert [listed(sdk, kind) for kind in ("sourceserver", "replicationjob", "workgroup")] == [[], [], []]
    again = source(running)
    put(sdk, [again], team="shop")
    sdk.delete_source_server(models.DeleteSourceServerRequest(source_id=again))
    assert listed(sdk) == []
