"""Flat parameters become values, and each bad one is named with what is allowed."""

from enum import Enum
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, field

from smc.base.errors import UserError
from smc.rpc.params import Request, id_list, parse


class Kind(Enum):
    SYSTEM = "system"
    DATA = "data"


class Tag(Request, frozen=True, kw_only=True):
    key: Annotated[str, Meta(min_length=1, max_length=8)]
    value: str = ""


class Ask(Request, frozen=True, kw_only=True):
    zone_id: str
    dry_run: bool = False
    hours: Annotated[int, Meta(ge=1, le=168)] = 1
    progress: float | None = None
    kind: Kind | None = None
    mode: Literal["a", "b"] = "a"
    source_ids: tuple[str, ...] = field(name="SourceId", default=())
    tags: tuple[Tag, ...] = field(name="Tag", default=())


def ask(**more: str) -> Ask:
    pairs = {"ZoneId": "z"} | {name.replace("_", "."): value for name, value in more.items()}
    return parse(list(pairs.items()), Ask)


def refusal(**more: str) -> UserError:
    with pytest.raises(UserError) as caught:
        ask(**more)
    return caught.value


def test_what_is_absent_or_empty_has_its_default() -> None:
    assert ask(DryRun="", Hours="", Kind="") == Ask(zone_id="z")


@pytest.mark.parametrize("text", ["True", "true", "TRUE"])
def test_booleans_do_not_mind_case(text: str) -> None:
    assert ask(DryRun=text).dry_run is True


def test_scalars_lists_and_objects() -> None:
    got = ask(
        Hours="168", Progress="1.5", Kind="data", Mode="b", SourceId_2="y", SourceId_1="x", SourceId_10="z"
    )
    assert got == Ask(
        zone_id="z", hours=168, progress=1.5, kind=Kind.DATA, mode="b", source_ids=("x", "y", "z")
    )
    assert ask(Tag_1_Key="k", Tag_1_Value="v").tags == (Tag(key="k", value="v"),)


def test_unknown_parameters_are_ignored() -> None:
    assert ask(OwnerId="7", Filter_1_Key="k") == Ask(zone_id="z")


@pytest.mark.parametrize(
    ("sent", "code", "says"),
    [
        ({"DryRun": "yes"}, "InvalidParameter.DryRun", "true or false"),
        ({"Hours": "0"}, "InvalidParameter.Hours", "from 1 to 168"),
        ({"Hours": "1e9"}, "InvalidParameter.Hours", "whole number"),
        ({"Hours": "9" * 5000}, "InvalidParameter.Hours", "from 1 to 168"),
        ({"Hours_1": "1"}, "InvalidParameter.Hours.1", "named Hours alone"),
        ({"Progress": "nan"}, "InvalidParameter.Progress", "a number"),
        ({"Kind": "tape"}, "InvalidParameter.Kind", "one of system, data"),
        ({"Mode": "c"}, "InvalidParameter.Mode", "one of a, b"),
        ({"SourceId": "x"}, "InvalidParameter.SourceId", "SourceId.1"),
        ({"SourceId_0": "x"}, "InvalidParameter.SourceId.0", "numbered from 1"),
        ({"SourceId_x": "x"}, "InvalidParameter.SourceId.x", "numbered from 1"),
        ({"SourceId_1001": "x"}, "InvalidParameter.SourceId.1001", "numbered from 1"),
        ({"Tag_1": "x"}, "InvalidParameter.Tag.1", "Key, Value"),
        ({"Tag_1_Value": "x"}, "MissingParameter.Tag.1.Key", "missing"),
        ({"Tag_1_Key": "x" * 9}, "InvalidParameter.Tag.1.Key", "of 1 to 8 characters"),
        ({"ZoneId": ""}, "MissingParameter.ZoneId", "missing"),
    ],
)
def test_a_bad_parameter_is_named_with_what_is_allowed(sent: dict[str, str], code: str, says: str) -> None:
    error = refusal(**sent)
    assert error.code == code
    assert says in error.message


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(UserError, match="given once"):
        parse([("ZoneId", "a"), ("ZoneId", "b")], Ask)


def test_id_lists_are_json() -> None:
    assert id_list('["i-1","i-2"]', "InstanceIds") == ("i-1", "i-2")
    assert id_list("", "InstanceIds") == ()
    with pytest.raises(UserError, match="JSON list"):
        id_list("i-1", "InstanceIds")


NAMES = st.text("ZoneIdTagKeySourceId.0123456789", max_size=14)


@given(st.lists(st.tuples(NAMES | st.sampled_from(["ZoneId", "Tag.1.Key", "Hours"]), st.text(max_size=5))))
def test_anything_sent_gives_a_value_or_a_refusal(pairs: list[tuple[str, str]]) -> None:
    try:
        assert isinstance(parse(pairs, Ask), Ask)
    except UserError as e:
        assert e.code.startswith(("InvalidParameter.", "MissingParameter."))
