"""The official SDK as judge of the RPC kit: what it signs is understood, what it gets back it can read."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from alibabacloud_smc20190601 import models
from alibabacloud_smc20190601.client import Client
from alibabacloud_tea_openapi.exceptions import ClientException
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from alibabacloud_tea_util.models import RuntimeOptions

from smc.base.errors import Broken, Transient, UserError
from smc.rpc import dispatch
from smc.rpc.dispatch import Caller, Reply, Service, action, application
from smc.rpc.params import Request
from smc.rpc.serving import serving

VERSION = "2019-06-01"
KEYS = {"AK1": "secret1"}


class Part(Request, frozen=True, kw_only=True):
    path: str
    size_bytes: int = 0
    block: bool = True


class System(Request, frozen=True, kw_only=True):
    size: int = 0
    lvm: bool = msgspec.field(name="LVM", default=False)
    parts: tuple[Part, ...] = msgspec.field(name="Part", default=())


class Disks(Request, frozen=True, kw_only=True):
    system: System | None = None


class CreateJob(Request, frozen=True, kw_only=True):
    region_id: str
    source_id: str
    description: str = ""
    disks: Disks | None = None


class Echo(Request, frozen=True, kw_only=True):
    name: str = ""


def create_job(request: CreateJob, caller: Caller) -> Reply:
    seen.append((request, caller))
    return {"JobId": "j-1"}


def stop_job(request: Echo, caller: Caller) -> Reply:
    raise UserError("no job", code="InvalidJobId.NotFound", hint="Look at the list.")


def start_job(request: Echo, caller: Caller) -> Reply:
    raise Broken("a secret path")


def delete_job(request: Echo, caller: Caller) -> Reply:
    raise Transient("the fleet is busy")


seen: list[tuple[CreateJob, Caller]] = []


class Clock:
    ahead = 0.0

    def __call__(self) -> float:
        return datetime.now(UTC).timestamp() + self.ahead


clock = Clock()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    actions = {
        "CreateReplicationJob": action(CreateJob, create_job),
        "StopReplicationJob": action(Echo, stop_job),
        "StartReplicationJob": action(Echo, start_job),
        "DeleteReplicationJob": action(Echo, delete_job),
    }
    service = Service({VERSION: actions}, KEYS.get, {"InvalidJobId.NotFound": 404}, now=clock)
    with serving(application(service)) as port:
        yield port


@pytest.fixture(autouse=True)
def forget() -> None:
    seen.clear()
    clock.ahead = 0.0


@pytest.fixture(params=["", "v2"], ids=["scheme A", "scheme B"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def client(port: int, scheme: str = "", key: str = "AK1", secret: str = "secret1") -> Client:
    return Client(
        Config(
            access_key_id=key,
            access_key_secret=secret,
            endpoint=f"127.0.0.1:{port}",
            protocol="HTTP",
            signature_algorithm=scheme or None,
        )
    )


def job(**more: Any) -> models.CreateReplicationJobRequest:  # Any: whatever field the SDK has
    return models.CreateReplicationJobRequest(**{"region_id": "cn-1", "source_id": "s-1"} | more)


def refusal(call: Any, *args: Any) -> ClientException:  # Any: a method of the SDK
    with pytest.raises(ClientException) as caught:
        call(*args)
    return caught.value


def test_a_good_request_reaches_its_function(port: int, scheme: str) -> None:
    disks = models.CreateReplicationJobRequestDisks(
        system=models.CreateReplicationJobRequestDisksSystem(
            size=20,
            lvm=True,
            part=[
                models.CreateReplicationJobRequestDisksSystemPart(path="/", size_bytes=5, block=False),
                models.CreateReplicationJobRequestDisksSystemPart(path="/a b+c~*%ü"),
            ],
        )
    )
    answer = client(port, scheme).create_replication_job(job(disks=disks, description="two words & = /"))
    assert answer.body.job_id == "j-1"
    assert answer.body.request_id == answer.body.request_id.upper()
    ((request, caller),) = seen
    assert request == CreateJob(
        region_id="cn-1",
        source_id="s-1",
        description="two words & = /",
        disks=Disks(
            system=System(
                size=20, lvm=True, parts=(Part(path="/", size_bytes=5, block=False), Part(path="/a b+c~*%ü"))
            )
        ),
    )
    assert (caller.access_key_id, caller.address) == ("AK1", "127.0.0.1")


def test_an_unknown_key_is_refused(port: int, scheme: str) -> None:
    error = refusal(client(port, scheme, key="AK2").create_replication_job, job())
    assert (error.code, error.status_code) == ("InvalidAccessKeyId.NotFound", 404)


def test_a_wrong_secret_is_refused(port: int, scheme: str) -> None:
    error = refusal(client(port, scheme, secret="guess").create_replication_job, job())
    assert (error.code, error.status_code) == ("SignatureDoesNotMatch", 400)


@pytest.mark.parametrize("ahead", [-901.0, 905.0])
def test_a_stale_timestamp_is_refused(port: int, scheme: str, ahead: float) -> None:
    clock.ahead = ahead
    error = refusal(client(port, scheme).create_replication_job, job())
    assert (error.code, error.status_code) == ("IllegalTimestamp", 400)


def test_a_clock_a_little_off_is_accepted(port: int, scheme: str) -> None:
    clock.ahead = 840.0
    assert client(port, scheme).create_replication_job(job()).body.job_id == "j-1"


def test_a_missing_parameter_is_named(port: int, scheme: str) -> None:
    error = refusal(client(port, scheme).create_replication_job, job(source_id=None))
    assert (error.code, error.status_code) == ("MissingParameter.SourceId", 400)
    assert "SourceId" in error.message


def test_an_unknown_action_is_refused(port: int, scheme: str) -> None:
    call = client(port, scheme).cut_over_replication_job
    error = refusal(call, models.CutOverReplicationJobRequest(job_id="j-1"))
    assert (error.code, error.status_code) == ("InvalidAction.NotFound", 404)


def test_another_version_is_refused(port: int) -> None:
    params = Params(
        action="CreateReplicationJob",
        version="2018-01-01",
        protocol="HTTP",
        pathname="/",
        method="GET",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    error = refusal(client(port).call_api, params, OpenApiRequest(), RuntimeOptions())
    assert (error.code, error.status_code) == ("InvalidVersion", 400)


def test_parameters_may_come_in_the_body_of_the_generic_call(port: int, scheme: str) -> None:
    params = Params(
        action="CreateReplicationJob",
        version=VERSION,
        protocol="HTTP",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    parts = OpenApiRequest(query={"RegionId": "cn-1"}, body={"SourceId": "s 1", "OwnerId": "7"})
    answer = client(port, scheme).call_api(params, parts, RuntimeOptions())
    assert answer["body"]["JobId"] == "j-1"
    assert seen[0][0].source_id == "s 1"


def test_an_error_of_the_function_keeps_code_status_message_and_advice(port: int) -> None:
    error = refusal(client(port).stop_replication_job, models.StopReplicationJobRequest(job_id="j-1"))
    assert (error.code, error.status_code) == ("InvalidJobId.NotFound", 404)
    assert error.data["Message"] == "no job"
    assert error.data["Recommend"] == "Look at the list."
    assert set(error.data) >= {"RequestId", "HostId"}


def test_what_breaks_inside_is_logged_and_not_shown(port: int, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Exception, match="failed inside") as caught:
        client(port).start_replication_job(models.StartReplicationJobRequest(job_id="j-1"))
    error: Any = caught.value  # Any: the SDK's error for 5xx
    assert (error.code, error.status_code) == ("InternalError", 500)
    assert "secret path" not in str(error.data)
    assert "a secret path" in caplog.text
    assert error.data["RequestId"] in caplog.text


def test_what_may_work_later_is_503(port: int) -> None:
    with pytest.raises(Exception, match="busy") as caught:
        client(port).delete_replication_job(models.DeleteReplicationJobRequest(job_id="j-1"))
    error: Any = caught.value  # Any: the SDK's error for 5xx
    assert (error.code, error.status_code) == ("TryAgain", 503)


def test_an_unsigned_request_is_told_what_is_missing(port: int) -> None:
    answer = httpx.get(f"http://127.0.0.1:{port}/?Action=CreateReplicationJob")
    assert answer.status_code == 400
    assert answer.json()["Code"] == "MissingParameter.AccessKeyId"


def test_a_large_body_is_refused(port: int) -> None:
    answer = httpx.post(f"http://127.0.0.1:{port}/", content=b"x" * (2 << 20))
    assert (answer.status_code, answer.json()["Code"]) == (413, "RequestTooLarge")


def test_a_request_that_does_not_arrive_is_given_up(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "BODY_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        answer = b""
        while b"RequestTimeout" not in answer and (piece := connection.recv(1 << 16)):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"RequestTimeout" in answer
