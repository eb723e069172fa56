"""Every action, parameter and field that the official SDK knows is here, or a table says why not."""

import re
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from docs.generate import dispatch_table
from msgspec import inspect
from tests.conformance.smc_sdk import call, client_of
from tests.conformance.test_smc_sdk import go_offline
from tests.conformance.test_smc_sdk_jobs import create as create_job
from tests.unit.center.running import Center, center
from tests.unit.center.servers import server

from smc.base.errors import UserError
from smc.center.api.public_gaps import EMPTY_FIELDS, IGNORED
from smc.center.api.words import written
from smc.center.store.job_changes import Change
from smc.center.trust.run_ca import new_authority
from smc.model.job import BusinessStatus, JobStatus, RunType
from smc.model.progress import Failure

Tree = Mapping[str, Any]
SUFFIX = "_with_options"
ACTIONS = sorted(
    "".join(word.capitalize() for word in name.removesuffix(SUFFIX).split("_"))
    for name in dir(Client)
    if name.endswith(SUFFIX)
)
TABLE = dispatch_table()


def example(kind: Any) -> Any:
    """A model of the SDK, or a value of a field of one, with something in every field."""
    if typing.get_origin(kind) is list:
        return [example(typing.get_args(kind)[0])]
    if kind in (str, int, float, bool):
        return kind(1)
    hints = typing.get_type_hints(kind.__init__, vars(models))
    return kind(**{name: example(hint) for name, hint in hints.items() if name != "return"})


def leaves(value: object, path: str = "") -> Iterator[str]:
    """Dotted paths of what has a value, without positions in lists."""
    match value:
        case dict():
            for name, found in value.items():
                yield from leaves(found, f"{path}.{name}" if path else name)
        case list():
            for found in value:
                yield from leaves(found, path)
        case None | "":
            return
        case _:
            yield path


def known(kind: inspect.Type, path: list[str]) -> bool:
    """Whether a request of this type takes the parameter."""
    match kind:
        case inspect.Metadata():
            return known(kind.type, path)
        case inspect.UnionType():
            return any(known(each, path) for each in kind.types)
        case inspect.VarTupleType():
            return known(kind.item_type, path)
        case inspect.StructType():
            fields = {field.encode_name: field.type for field in kind.fields}
            return bool(path) and path[0] in fields and known(fields[path[0]], path[1:])
        case _:
            return not path


def test_there_are_twenty_four_public_actions_and_all_are_served() -> None:
    assert len(ACTIONS) == 24
    assert set(ACTIONS) <= TABLE.keys()


@pytest.mark.parametrize("action", ACTIONS)
def test_every_parameter_of_the_sdk_is_known(action: str) -> None:
    sent = set(leaves(example(getattr(models, f"{action}Request")).to_map()))
    kind = inspect.type_info(TABLE[action].request)
    unknown = {path for path in sent if not known(kind, path.split("."))}
    assert unknown == set(IGNORED)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A center in which everything has happened once."""
    with center(tmp_path_factory.mktemp("center"), agents=False) as running:
        sdk = client_of(running)
        populate(running, sdk)
        yield sdk


def populate(running: Center, sdk: Client) -> None:
    sources = [
        running.import_server(server(fingerprint=name, hostname=name)).source_id
        for name in ("done", "busy", "broken", "lone", "more", "most")
    ]
    tag = {"Key": "team", "Value": "shop"}
    workgroup = call(sdk, "CreateWorkgroup", Name="wave", Description="the first", Tag=[tag])["WorkgroupId"]
    call(sdk, "AssociateSourceServers", WorkgroupId=workgroup, SourceId=sources)
    tags = [tag, *({"Key": f"key-{number}", "Value": "x"} for number in range(19))]  # more than one page
    call(sdk, "TagResources", ResourceType="sourceserver", ResourceId=sources, Tag=tags)
    call(sdk, "ModifySourceServerAttribute", SourceId=sources[0], ResourceGroupId="rg-1")
    call(sdk, "CreateAccessToken", Name="office", Description="of the first wave")
    jobs = [
        create_job(
            sdk,
            source,
            name=f"move-{source[-5:]}",
            description="to-the-cloud",
            image_name=f"image_{source[-5:]}",
            resource_group_id="rg-1",
            scheduled_start_time=written(running.parts.store.clock.now() + 86400),
            replication_parameters='{"bandwidth_limit":100}',
            tag=[models.CreateReplicationJobRequestTag(key="team", value="shop")],
        )
        for source in sources[:3]
    ]
    for job in jobs:
        fill(running, job)
    store = running.parts.store
    runs = [store.jobs.begin_run(job, RunType.MANUAL, new_authority()) for job in jobs]
    for run in runs:
        store.jobs.reach(run, BusinessStatus.SYNCING, note="Copying", progress=40.0)
        store.jobs.hold_instance(run, "i-transition")
    store.jobs.deliver(runs[0], "m-made")
    store.jobs.end(runs[0], JobStatus.FINISHED)
    store.jobs.end(runs[2], JobStatus.IN_ERROR, failure=Failure.of(UserError("no", code="Disk.Full")))
    go_offline(running, sources[3])


def fill(running: Center, job_id: str) -> None:
    """The texts of its request that have no value get one: no single job could have all of them."""
    job = running.parts.store.jobs.find(job_id)
    assert job is not None
    empty = {
        field.name: f"given-{field.name}"
        for field in msgspec.structs.fields(job.request)
        if getattr(job.request, field.name) == ""
    }
    change = Change(
        name=job.name,
        description=job.description,
        valid_until=job.valid_until,
        request=msgspec.structs.replace(job.request, **empty),
    )
    assert running.parts.store.changes.apply(job, change, ())


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("DescribeReplicationJobs", {}),
        ("DescribeSourceServers", {}),
        ("DescribeWorkgroups", {}),
        ("ListAccessTokens", {}),
        ("ListTagResources", {"ResourceType": "sourceserver"}),
    ],
)
def test_every_field_of_the_sdk_is_filled(full: Client, action: str, parameters: dict[str, str]) -> None:
    wanted = set(leaves(example(getattr(models, f"{action}ResponseBody")).to_map()))
    missing = wanted - set(leaves(call(full, action, **parameters)))
    assert missing == EMPTY_FIELDS.get(action, {}).keys()


def test_all_other_actions_answer_with_what_is_made_alone() -> None:
    """Their answers have the id of what was made, or nothing; the tests of each subject read it."""
    looks = {"DescribeReplicationJobs", "DescribeSourceServers", "DescribeWorkgroups", "ListAccessTokens"}
    for action in set(ACTIONS) - looks - {"ListTagResources"}:
        fields = set(leaves(example(getattr(models, f"{action}ResponseBody")).to_map()))
        made = re.compile(r"RequestId|(Job|Workgroup|AccessToken)Id|AccessTokenCode")
        assert all(made.fullmatch(field) for field in fields), action
