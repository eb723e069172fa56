"""The journal of the workflows."""

import json

import pytest

from smc.base.errors import Broken, CommandFailed, SmcError, Transient, UserError
from smc.center.jobs.journal import Journal
from smc.center.jobs.values import InstanceLost, Machine, Network, Overtaken

JOURNAL = Journal()


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        7,
        ["a", 1.5, True],
        {"args": ["j-1.1"], "kwargs": {}},
        Network(vpc="vpc-1", vswitch="vsw-1", zone="a"),
        [Machine(instance="i-1", port=8703)],
    ],
    ids=repr,
)
def test_a_value_comes_back_as_it_was(value: object) -> None:
    assert JOURNAL.deserialize(JOURNAL.serialize(value)) == value


@pytest.mark.parametrize("kind", [SmcError, UserError, Transient, Broken, Overtaken, InstanceLost])
def test_an_error_comes_back_with_class_code_message_and_hint(kind: type[SmcError]) -> None:
    error = JOURNAL.deserialize(JOURNAL.serialize(kind("it broke", code="A.B", hint="mend it")))
    assert type(error) is kind
    assert (error.message, error.code, error.hint) == ("it broke", "A.B", "mend it")


@pytest.mark.parametrize("error", [CommandFailed(["mkfs"], "exit status 1", "no"), ValueError("odd")])
def test_any_other_error_comes_back_as_broken(error: Exception) -> None:
    found = JOURNAL.deserialize(JOURNAL.serialize(error))
    assert type(found) is Broken
    assert str(error) in found.message


def test_the_journal_is_json() -> None:
    written = json.loads(JOURNAL.serialize(Machine(instance="i-1", port=1)))
    assert written == {"$": "Machine", "value": {"instance": "i-1", "port": 1}}


def test_what_has_no_place_in_the_journal_is_refused() -> None:
    with pytest.raises(TypeError):
        JOURNAL.serialize(object())
