"""Keys, roles, users and who did what, by the official SDK's generic call."""

import signal
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from alibabacloud_tea_openapi.models import OpenApiRequest, Params
from alibabacloud_tea_util.models import RuntimeOptions
from docs.generate import dispatch_table
from tests.conformance.smc_sdk import SCHEMES, call, client_of, refused
from tests.conformance.test_smc_sdk_jobs import create
from tests.conformance.test_smc_sdk_serve import client_of as served_client
from tests.conformance.test_smc_sdk_serve import served
from tests.unit.center.running import Center

from smc.center.access import FOR_ADMINS, Role, may
from smc.center.store.database import url_of
from smc.center.store.store import open_store


@pytest.fixture
def admin(running: Center) -> Client:
    return client_of(running)


def client_as(running: Center, admin: Client, role: str, scheme: str = "") -> tuple[Client, str]:
    """A client with a new key of that role, and the key's id."""
    made = call(admin, "CreateAccessKey", Name=f"a-{role}", Role=role)
    assert made["Role"] == role
    key, secret = made["UserAccessKeyId"], made["UserAccessKeySecret"]
    return client_of(running, scheme, key=key, secret=secret), key


def audit(client: Client) -> list[dict[str, Any]]:
    """Newest first."""
    found: list[dict[str, Any]] = call(client, "DescribeEvents", Kind=["Audit"], PageSize=50)["Events"][
        "Event"
    ]
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_reader_sees_and_changes_nothing(running: Center, admin: Client, scheme: str) -> None:
    source = running.import_server().source_id
    job = create(admin, source)
    reader, _ = client_as(running, admin, "reader", scheme)
    assert reader.describe_replication_jobs(models.DescribeReplicationJobsRequest()).body.total_count == 1
    assert reader.list_access_tokens(models.ListAccessTokensRequest()).body.total_count == 1
    for name in ("DescribeEvents", "DescribeAccessKeys", "DescribeSubscriptions", "DescribeImages"):
        call(reader, name)
    with refused("Forbidden.RAM", status=403, match="reader"):
        reader.start_replication_job(models.StartReplicationJobRequest(job_id=job))
    with refused("Forbidden.RAM", status=403):
        reader.create_access_token(models.CreateAccessTokenRequest(name="mine"))
    with refused("Forbidden.RAM", status=403):
        call(reader, "CreateAccessKey", Name="more", Role="admin")


def test_each_action_is_for_the_roles_it_should_be(running: Center, admin: Client) -> None:
    names = set(dispatch_table())
    assert names >= FOR_ADMINS
    for name in names:
        assert may(Role.ADMIN, name)
        assert may(Role.OPERATOR, name) is (name not in FOR_ADMINS)
        assert may(Role.READER, name) is name.startswith(("Describe", "List"))


def test_an_operator_works_with_jobs_and_not_with_keys(running: Center, admin: Client) -> None:
    operator, key = client_as(running, admin, "operator")
    create(operator, running.import_server().source_id)
    for action, more in (
        ("CreateAccessKey", {"Name": "more"}),
        ("DeleteAccessKey", {"UserAccessKeyId": key}),
        ("CreateUser", {"UserName": "eve", "Password": "0123456789"}),
    ):
        with refused("Forbidden.RAM", status=403, match="operator"):
            call(operator, action, **more)


def test_a_key_is_disabled_enabled_and_deleted_and_the_last_admin_stays(
    running: Center, admin: Client
) -> None:
    own = running.admin.access_key_id
    for action in ("DisableAccessKey", "DeleteAccessKey"):
        with refused("AccessKey.LastAdmin"):
            call(admin, action, UserAccessKeyId=own)
    second, second_key = client_as(running, admin, "admin")
    call(second, "DisableAccessKey", UserAccessKeyId=own)
    with refused("InvalidAccessKeyId.Inactive", status=403):
        call(admin, "DescribeRegions")
    with refused("AccessKey.LastAdmin"):
        call(second, "DeleteAccessKey", UserAccessKeyId=second_key)
    call(second, "EnableAccessKey", UserAccessKeyId=own)
    call(admin, "DeleteAccessKey", UserAccessKeyId=second_key)
    with refused("InvalidAccessKeyId.NotFound", status=404):
        call(second, "DescribeRegions")
    with refused("InvalidAccessKeyId.NotFound", status=404):
        call(admin, "DeleteAccessKey", UserAccessKeyId=second_key)
    answer = call(admin, "DescribeAccessKeys")
    (found,) = answer["AccessKeys"]["AccessKey"]
    assert (found["Name"], found["Role"], found["Status"], found["Own"]) == ("admin", "admin", "Active", True)
    assert running.admin.access_key_secret not in str(answer)


def test_who_asked_for_what_is_an_event_without_secrets(running: Center, admin: Client) -> None:
    source = running.import_server().source_id
    operator, key = client_as(running, admin, "operator")
    job = create(operator, source)
    call(admin, "CreateUser", UserName="ann", Password="not-to-be-seen")
    with refused("ReplicationJob.InvalidStatus"):
        operator.stop_replication_job(models.StopReplicationJobRequest(job_id=job))
    with refused("Forbidden.RAM", status=403):
        call(operator, "DeleteUser", UserName="ann")
    call(operator, "DescribeEvents")
    events = audit(admin)
    assert [event["Message"].split()[0].rstrip(",") for event in events] == [
        "DeleteUser",
        "StopReplicationJob",
        "CreateUser",
        "CreateReplicationJob",
        "CreateAccessKey",
    ]
    forbidden, stopped, made_user, made_job, _ = events
    assert (forbidden["Level"], forbidden["Code"]) == ("warning", "Forbidden.RAM")
    assert (stopped["Code"], stopped["JobId"]) == ("ReplicationJob.InvalidStatus", job)
    assert "UserName=ann, from 127.0.0.1" in made_user["Message"]
    assert f"JobId={job}" in made_job["Message"]
    assert made_job["SourceId"] == source
    assert made_job["Actor"] == f"a-operator ({key})"
    assert "not-to-be-seen" not in str(events)


def test_users_have_passwords_that_nobody_can_read(running: Center, admin: Client) -> None:
    users = running.parts.store.users
    answer = admin.call_api(
        Params(
            action="CreateUser",
            version="2019-06-01",
            pathname="/",
            method="POST",
            auth_type="AK",
            style="RPC",
            req_body_type="formData",
            body_type="json",
        ),
        OpenApiRequest(query={"UserName": "ann", "Role": "reader"}, body={"Password": "correct horse"}),
        RuntimeOptions(),
    )
    assert answer["statusCode"] == 200
    found = users.authenticate("ann", "correct horse")
    assert found is not None
    assert found.role is Role.READER
    assert users.authenticate("ann", "wrong horse") is None
    assert users.authenticate("bob", "correct horse") is None
    with refused("UserName.Duplicate"):
        call(admin, "CreateUser", UserName="ann", Password="0123456789")
    with refused("InvalidParameter.Password", match="10 to 256"):
        call(admin, "SetPassword", UserName="ann", Password="short")
    call(admin, "SetPassword", UserName="ann", Password="another horse")
    assert users.authenticate("ann", "correct horse") is None
    assert users.authenticate("ann", "another horse") is not None
    assert "horse" not in str(call(admin, "DescribeUsers"))
    call(admin, "DeleteUser", UserName="ann")
    for action in ("DeleteUser", "SetPassword"):
        with refused("InvalidUserName.NotFound"):
            call(admin, action, UserName="ann", Password="0123456789")


def test_a_center_whose_admin_key_was_disabled_has_another_one_after_its_next_start(tmp_path: Path) -> None:
    with served(tmp_path) as (process, words):
        sdk = served_client(tmp_path)
        made = call(sdk, "CreateAccessKey", Name="second", Role="admin")
        call(sdk, "DisableAccessKey", UserAccessKeyId=words[2])
        process.send_signal(signal.SIGTERM)
        process.wait(15)
    with served(tmp_path) as (_, again):
        assert (again[0], again[2] != words[2]) == ("new", True)
        found = call(served_client(tmp_path), "DescribeAccessKeys")["AccessKeys"]["AccessKey"]
    assert {(key["Name"], key["Status"]) for key in found} == {
        ("admin", "Inactive"),
        ("second", "Active"),
        ("admin", "Active"),
    }
    assert made["UserAccessKeySecret"] not in str(found)


def test_keys_of_before_there_were_roles_are_admins(tmp_path: Path) -> None:
    store = open_store(url_of(tmp_path), "lcl")
    with store._database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO access_keys (id, secret, name, created) VALUES ('SMC1', 's', 'old', 1)"
        )
    found = store.access_keys.find("SMC1")
    store.close()
    assert found is not None
    assert (found.role, found.disabled) == (Role.ADMIN, False)
