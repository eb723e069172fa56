"""The table of what is ours says what is served, what the official SDK lacks, and how the CLI does it."""

import inspect
import re
from collections.abc import Iterator

import typer
from alibabacloud_smc20190601 import models
from docs.generate import dispatch_table
from msgspec.structs import fields

from smc.center.api.ours import LOCAL_VERBS, PARAMETERS, VERBS
from smc.cli.main import app

TABLE = dispatch_table()


def verbs(group: typer.Typer, prefix: str = "") -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback
        yield f"{prefix}{command.name or command.callback.__name__}"
    for inner in group.registered_groups:
        assert inner.typer_instance
        yield from verbs(inner.typer_instance, f"{prefix}{inner.name} ")


def test_every_action_has_a_verb_and_every_verb_an_action() -> None:
    assert VERBS.keys() == TABLE.keys(), "a new action gets its row in smc/center/api/ours.py"
    told = {verb for found in VERBS.values() for verb in found}
    assert told | set(LOCAL_VERBS) == set(verbs(app)), "and a new verb too"


def test_every_parameter_that_the_sdk_lacks_is_in_the_table() -> None:
    for name, found in TABLE.items():
        request = getattr(models, f"{name}Request", None)
        if request is None:
            assert name not in PARAMETERS
            continue
        public = {as_sent(attribute) for attribute in inspect.signature(request).parameters}
        sent = {field.encode_name.lower(): field.encode_name for field in fields(found.request)}
        assert PARAMETERS.get(name, {}).keys() == {sent[key] for key in sent.keys() - public}, name


def as_sent(attribute: str) -> str:
    return re.sub("_", "", attribute)
