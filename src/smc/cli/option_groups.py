"""Options that several commands share: the fields of a dataclass, which is one parameter of each command."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer is to see it: in the place of a parameter that is a dataclass stand its fields."""
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, type] = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if isinstance(parameter.annotation, type) and is_dataclass(parameter.annotation)
    }

    @wraps(command)
    def run(**given: object) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    def options() -> Iterator[Parameter]:
        for name, parameter in signature.parameters.items():
            if name in groups:
                yield from inspect.signature(groups[name], eval_str=True).parameters.values()
            else:
                yield parameter.replace(kind=Parameter.KEYWORD_ONLY)

    run.__signature__ = signature.replace(parameters=list(options()))  # type: ignore[attr-defined]  # PEP 362
    return run
