"""What the cloud's error codes become."""

import pytest

from smc.base.errors import Broken, SmcError, Transient, UserError
from smc.base.secret import Secret
from smc.cloud.driver import Kind
from smc.cloud.ecs.calls import EcsAccess
from smc.cloud.ecs.driver import EcsDriver
from smc.cloud.ecs.errors import is_gone, translate


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("Throttling.User", Transient),
        ("ServiceUnavailable", Transient),
        ("IncorrectInstanceStatus.Initializing", Transient),
        ("DependencyViolation.VSwitch", Transient),
        ("SnapshotCreatedImage", Transient),
        ("QuotaExceeded.Vpc", UserError),
        ("Forbidden.SubUser", UserError),
        ("InvalidAccountStatus.NotEnoughBalance", UserError),
        ("InvalidAccessKeyId.NotFound", UserError),
        ("OperationDenied.NoStock", UserError),
        ("IdempotentParameterMismatch", Broken),
        ("SomethingNew", Broken),
    ],
)
def test_a_code_decides_what_happens_next(code: str, kind: type[SmcError]) -> None:
    error = translate(code, "it is so", "R-1")
    assert type(error) is kind
    assert error.code == code
    assert "it is so" in error.message
    assert "R-1" in error.message


def test_what_the_person_must_do_comes_with_a_cure() -> None:
    codes = (
        "QuotaExceeded.Vpc",
        "Forbidden.RAM",
        "InvalidAccountStatus.NotEnoughBalance",
        "IllegalTimestamp",
    )
    assert all(translate(code, "", "").hint for code in codes)


def test_what_is_gone_is_told_by_its_code() -> None:
    assert is_gone("InvalidVSwitchID.NotFound")
    assert not is_gone("DependencyViolation")


def test_a_cloud_that_cannot_be_reached_is_asked_again_later() -> None:
    access = EcsAccess(
        region="local", key_id="AK", key_secret=Secret("s"), endpoint="127.0.0.1:9", protocol="HTTP"
    )
    with pytest.raises(Transient) as refused:
        EcsDriver(access).exists(Kind.INSTANCE, "i-1")
    assert refused.value.code == "Cloud.Unreachable"
