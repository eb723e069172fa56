"""Activation codes and sources as the official SDK sees them."""

import json
import re
import shlex

import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from sqlalchemy import update
from tests.conformance.smc_sdk import SCHEMES, call, client_of, refused
from tests.unit.center.running import Center
from tests.unit.center.servers import server

from smc.center.store.sources import OFFLINE_SECONDS, Sign
from smc.center.store.tables import sources
from smc.wire.orders import Enrolled

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def source(running: Center) -> Enrolled:
    return running.import_server()


def go_offline(running: Center, source: str) -> None:
    """As if it had last been heard of long ago."""
    database = running.parts.store.sources._database
    with database.write() as connection:
        silent = update(sources).values(last_beat=sources.c.last_beat - (OFFLINE_SECONDS + 5))
        connection.execute(silent.where(sources.c.id == source))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_activation_code_lives_its_life(running: Center, scheme: str) -> None:
    sdk = client_of(running, scheme)
    made = sdk.create_access_token(
        models.CreateAccessTokenRequest(name="office", count="3", time_to_live_in_days="7")
    ).body
    assert made.access_token_id.startswith("at-lcl")
    assert re.fullmatch(r"[A-Za-z0-9]{32}", made.access_token_code)
    listed = sdk.list_access_tokens(models.ListAccessTokensRequest()).body
    (token,) = listed.access_tokens.access_token
    assert (token.name, token.count, token.registered_count, token.time_to_live_in_days) == (
        "office",
        "3",
        "0",
        "7",
    )
    assert token.status == "activated"
    assert TIME.fullmatch(token.creation_time)
    assert made.access_token_code not in str(listed.to_map())
    sdk.disable_access_token(models.DisableAccessTokenRequest(access_token_id=made.access_token_id))
    wanted = models.ListAccessTokensRequest(status="unactivated")
    assert sdk.list_access_tokens(wanted).body.total_count == 1
    sdk.delete_access_token(models.DeleteAccessTokenRequest(access_token_id=made.access_token_id))
    assert sdk.list_access_tokens(models.ListAccessTokensRequest()).body.total_count == 0
    with refused("InvalidAccessTokenId.NotFound"):
        sdk.delete_access_token(models.DeleteAccessTokenRequest(access_token_id=made.access_token_id))


def test_an_activation_code_has_the_public_defaults(sdk: Client) -> None:
    sdk.create_access_token(models.CreateAccessTokenRequest())
    (token,) = sdk.list_access_tokens(models.ListAccessTokensRequest()).body.access_tokens.access_token
    assert (token.count, token.time_to_live_in_days) == ("100", "30")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"count": "0"}, "InvalidParameter.Count"),
        ({"count": "1001"}, "InvalidParameter.Count"),
        ({"time_to_live_in_days": "91"}, "InvalidParameter.TimeToLiveInDays"),
        ({"name": "1st"}, "InvalidParameter.Name"),
        ({"name": "x"}, "InvalidParameter.Name"),
        ({"description": "https://here"}, "InvalidParameter.Description"),
    ],
)
def test_an_activation_code_outside_the_limits_is_refused(
    sdk: Client, parameters: dict[str, str], code: str
) -> None:
    with refused(code):
        sdk.create_access_token(models.CreateAccessTokenRequest(**parameters))


def test_the_import_command_pins_the_center_and_the_agent(running: Center, sdk: Client) -> None:
    made = sdk.create_access_token(models.CreateAccessTokenRequest()).body
    told = call(
        sdk,
        "DescribeImportCommand",
        AccessTokenId=made.access_token_id,
        AccessTokenCode=made.access_token_code,
        Host="10.0.2.2",
    )
    command = told["LinuxCommand"]
    assert "\n" not in command
    assert shlex.split(command)[:2] == ["sh", "-c"]
    for pinned in (
        "10.0.2.2",
        running.parts.trust.fingerprint,
        running.parts.agent.sha256(),
        made.access_token_id,
        made.access_token_code,
    ):
        assert pinned in command


def test_an_import_command_for_a_wrong_code_is_refused(sdk: Client) -> None:
    made = sdk.create_access_token(models.CreateAccessTokenRequest()).body
    with refused("ActivationCode.Invalid"):
        call(sdk, "DescribeImportCommand", AccessTokenId=made.access_token_id, AccessTokenCode="x" * 32)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_source_is_described_with_its_disks(running: Center, source: Enrolled, scheme: str) -> None:
    answer = client_of(running, scheme).describe_source_servers(models.DescribeSourceServersRequest())
    (found,) = answer.body.source_servers.source_server
    assert found.source_id == source.source_id
    assert (found.state, found.platform, found.architecture) == ("Available", "Debian", "x86_64")
    assert (found.heartbeat_rate, found.replication_driver, found.agent_version) == (30, "SMT", "0.1.0")
    assert "Hostname: web-1 IP Address: 10.0.2.15" in found.description
    assert not found.error_code
    info = json.loads(found.system_info)
    assert len(found.system_info) <= 1024
    assert (info["hostname"], info["ipv4"], info["cores"], info["memory"]) == (
        "web-1",
        "10.0.2.15",
        "2",
        "2.00",
    )
    assert found.system_disk_size == 10
    (part,) = found.system_disk_parts.system_disk_part
    assert (part.device, part.path, part.can_block, part.need) == ("0_2", "/", False, True)
    (disk,) = found.data_disks.data_disk
    assert (disk.index, disk.path, disk.size) == (1, "/srv/data", 4)
    assert disk.parts.part[0].device == "1_1"
    assert found.disks.system.parts.part[0].type == "System"
    assert found.disks.system.offset == 1 << 20
    assert found.disks.data.data[0].parts.part[0].path == "/srv/data"
    assert TIME.fullmatch(found.creation_time)


def test_sources_come_in_pages(running: Center, sdk: Client) -> None:
    for number in range(12):
        running.import_server(server(fingerprint=f"f{number}", hostname=f"host-{number}"))
    first = sdk.describe_source_servers(models.DescribeSourceServersRequest()).body
    assert (first.page_number, first.page_size, first.total_count) == (1, 10, 12)
    second = sdk.describe_source_servers(models.DescribeSourceServersRequest(page_number=2)).body
    ids = [source.source_id for page in (first, second) for source in page.source_servers.source_server]
    assert len(ids) == len(set(ids)) == 12
    with refused("InvalidParameter.PageSize"):
        sdk.describe_source_servers(models.DescribeSourceServersRequest(page_size=51))
    with refused("InvalidParameter.SourceId"):
        sdk.describe_source_servers(models.DescribeSourceServersRequest(source_id=["s-1"] * 51))


def test_sources_are_filtered_by_all_that_is_given(running: Center, sdk: Client) -> None:
    one = running.import_server(server(fingerprint="f1", hostname="one")).source_id
    two = running.import_server(server(fingerprint="f2", hostname="two")).source_id
    go_offline(running, two)

    def ids(**wanted: object) -> list[str]:
        request = models.DescribeSourceServersRequest(**wanted)
        found = sdk.describe_source_servers(request).body.source_servers.source_server
        return [source.source_id for source in found]

    assert ids(name="one") == [one]
    assert ids(source_id=[two, "s-none"]) == [two]
    assert ids(state="Unavailable") == [two]
    assert ids(state="Available", source_id=[two]) == []
    with refused("InvalidParameter.State"):
        ids(state="Asleep")


def test_an_offline_source_says_so_and_comes_back_by_itself(
    running: Center, sdk: Client, source: Enrolled
) -> None:
    def described() -> models.DescribeSourceServersResponseBodySourceServersSourceServer:
        request = models.DescribeSourceServersRequest(source_id=[source.source_id])
        return sdk.describe_source_servers(request).body.source_servers.source_server[0]

    go_offline(running, source.source_id)
    found = described()
    assert (found.state, found.error_code) == ("Unavailable", "SourceServer.Offline")
    assert json.loads(found.status_info)["error_code"] == "SourceServer.Offline"
    import_time = running.parts.store.sources.find(source.source_id)
    assert import_time is not None
    sign = Sign(time=import_time.last_beat + OFFLINE_SECONDS + 5, address="127.0.0.1")
    running.parts.store.sources.beat({source.source_id: sign})
    assert described().state == "Available"


def test_a_source_is_renamed_to_a_name_that_is_free(running: Center, sdk: Client, source: Enrolled) -> None:
    other = running.import_server(server(fingerprint="f2", hostname="other")).source_id
    sdk.modify_source_server_attribute(
        models.ModifySourceServerAttributeRequest(
            source_id=source.source_id, name="shop", description="of the main street"
        )
    )
    request = models.DescribeSourceServersRequest(name="shop")
    (found,) = sdk.describe_source_servers(request).body.source_servers.source_server
    assert (found.source_id, found.description) == (source.source_id, "of the main street")
    with refused("SourceServerName.Duplicate"):
        sdk.modify_source_server_attribute(
            models.ModifySourceServerAttributeRequest(source_id=other, name="shop")
        )
    with refused("InvalidSourceId.NotFound"):
        sdk.modify_source_server_attribute(
            models.ModifySourceServerAttributeRequest(source_id="s-none", name="shop")
        )


def test_a_deleted_source_is_gone_and_its_agent_shut_out(
    running: Center, sdk: Client, source: Enrolled
) -> None:
    sdk.delete_source_server(models.DeleteSourceServerRequest(source_id=source.source_id))
    assert sdk.describe_source_servers(models.DescribeSourceServersRequest()).body.total_count == 0
    assert running.parts.store.sources.authenticate(source.credential) is None


def test_a_wrong_key_a_wrong_secret_and_an_unknown_action_are_told_apart(running: Center) -> None:
    request = models.DescribeSourceServersRequest()
    with refused("InvalidAccessKeyId.NotFound", status=404):
        client_of(running, key="nobody").describe_source_servers(request)
    with refused("SignatureDoesNotMatch"):
        client_of(running, secret="wrong").describe_source_servers(request)
    with refused("InvalidAction.NotFound", status=404):
        call(client_of(running), "MoveTheMountain")
