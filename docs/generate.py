"""Writes the reference pages that are made from the code: `python -m docs.generate`.

What is ours is listed in smc/center/api/ours.py; a test holds that to the official SDK.
"""

import inspect
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from alibabacloud_smc20190601.client import Client

from smc.center.api import ours
from smc.center.api.context import Context
from smc.center.api.job_parameters import PARAMETERS, changeable
from smc.center.api.public_gaps import IGNORED
from smc.center.api.service import VERSION, actions
from smc.center.app import open_parts
from smc.center.settings import Settings
from smc.cloud.memory import MemoryCloud
from smc.model.report import Report
from smc.rpc.dispatch import Action
from smc.rpc.params import allowed

FOLDER = Path(__file__).with_name("reference")
API_HEAD = f"""# The API: what is ours

Made from the code by `make docs`; do not edit. The center speaks the public SMC RPC API, version {VERSION};
an official SDK is a client of it. Beside the public actions and parameters it has those below, in the same
style; with none of them sent it behaves as the public API says. An SDK sends them by its generic call.
Codes of refusals: [center.md](../design/center.md).
"""


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make())


def api_page() -> str:
    table = dispatch_table()
    public = {name for name in table if hasattr(Client, _snake(name))}
    lines = [API_HEAD, "## Public actions\n", "| action | `smc` | parameters of ours |", "|---|---|---|"]
    for name in sorted(public):
        mine = _parameters(table[name], ours.PARAMETERS.get(name, {}))
        lines.append(f"| {name} | {_verbs(name)} | {mine} |")
    lines += ["", "## Not supported\n", "| parameter | why |", "|---|---|"]
    lines += [f"| `{name}` of any action is ignored | {why} |" for name, why in IGNORED.items()]
    lines += ["", "## When a parameter of a job may change\n", "| parameter | when |", "|---|---|"]
    lines += [
        f"| `{_encoded(table['ModifyReplicationJobAttribute'], field)}` | {PARAMETERS[field].changes.value} |"
        for field in changeable()
    ]
    lines += [
        "",
        "## Actions of ours\n",
        "| action | `smc` | parameters | what it does |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {_verbs(name)} | {_parameters(table[name])} | {_meaning(name, table[name])} |"
        for name in sorted(table.keys() - public)
    ]
    return "\n".join(lines) + "\n"


def report_schema() -> str:
    """JSON Schema of the document that DescribeReports gives."""
    return (
        msgspec.json.format(msgspec.json.encode(_clean(msgspec.json.schema(Report)), order="sorted")).decode()
        + "\n"
    )


PAGES: Mapping[str, Callable[[], str]] = {"api.md": api_page, "report.schema.json": report_schema}


class NoJobs:
    """A `JobsPort` of a center that is never asked."""

    def start(self, job_id: str) -> None: ...

    def stop(self, job_id: str) -> None: ...

    def delete(self, job_id: str) -> None: ...

    def release(self, job_id: str) -> None: ...

    def verify(self, verification: str) -> None: ...


def dispatch_table() -> Mapping[str, Action]:
    with tempfile.TemporaryDirectory() as folder:
        parts = open_parts(Settings(data_dir=Path(folder)))
        try:
            return actions(
                Context(
                    settings=parts.settings,
                    store=parts.store,
                    driver=MemoryCloud(),
                    jobs=NoJobs(),
                    trust=parts.trust,
                    agent=parts.agent,
                    blobs=parts.blobs,
                )
            )
        finally:
            parts.close()


def _clean(value: object) -> object:
    """Docstrings without their indentation, which depends on the version of Python."""
    match value:
        case dict():
            return {key: _clean(item) for key, item in value.items()}
        case list():
            return [_clean(item) for item in value]
        case str():
            return inspect.cleandoc(value)
        case _:
            return value


def _encoded(action: Action, attribute: str) -> str:
    fields = msgspec.structs.fields(action.request)
    return next(field.encode_name for field in fields if field.name == attribute)


def _verbs(action: str) -> str:
    return ", ".join(f"`{verb}`" for verb in ours.VERBS.get(action, ())) or "-"


def _parameters(action: Action, meanings: Mapping[str, str] | None = None) -> str:
    """Those with a meaning, all where none are given."""
    info = msgspec.inspect.type_info(action.request)
    assert isinstance(info, msgspec.inspect.StructType)
    told = [
        f"`{field.encode_name}`: {allowed(field.type)}{_default(field)}"
        + (f". {meanings[field.encode_name]}" if meanings else "")
        for field in info.fields
        if meanings is None or field.encode_name in meanings
    ]
    return "<br>".join(told) or "-"


def _default(field: msgspec.inspect.Field) -> str:
    if field.required:
        return "; required"
    value = getattr(field.default, "value", field.default)  # of an Enum
    if isinstance(value, bool):
        return f"; default {str(value).lower()}"
    return f"; default {value}" if value not in ("", None, (), msgspec.NODEFAULT) else ""


def _meaning(name: str, action: Action) -> str:
    text = inspect.getdoc(action.handler) or ""
    if not text:
        sys.exit(f"{name} has no docstring that says what it does")
    return " ".join(text.split("\n\n")[0].split())


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


if __name__ == "__main__":
    main()
