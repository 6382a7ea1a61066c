"""Options that several commands share: a dataclass says them once, a command takes them as one."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from inspect import Parameter
from typing import Any, get_type_hints


def grouped(name: str, group: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the fields of a dataclass as options.

    Args:
        name: The command's parameter that takes them all, a `group`; options stand at its place.
        group: A dataclass whose fields are annotated as typer wants; one without a default is
            required.

    Returns:
        A decorator for functions that typer calls.
    """

    def decorated(function: Callable[..., None]) -> Callable[..., None]:
        names = [field.name for field in fields(group)]

        @functools.wraps(function)
        def taking(**given: Any) -> None:
            chosen = group(**{key: given.pop(key) for key in names})
            function(**given, **{name: chosen})

        signature = inspect.signature(function)
        spread: list[Parameter] = []
        for parameter in signature.parameters.values():
            if parameter.name == name:
                spread += _parameters(group)
            else:
                spread.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))
        taking.__signature__ = signature.replace(parameters=spread)  # type: ignore[attr-defined]
        taking.__annotations__ = {one.name: one.annotation for one in spread} | {"return": None}
        return taking

    return decorated


def _parameters(group: type[Any]) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if field.default is MISSING else field.default,
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]
