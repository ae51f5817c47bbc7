"""The flags that say what is connected to and how: declared once, taken by many commands.

Refuses to know what they mean; ``choosing`` does.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from erlconnect.command_line import options

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What stands on the command line beside the names of targets."""

    backend: str | None = None
    profile: str | None = None
    option: Sequence[str] = ()
    node: str | None = None
    all_targets: bool = False
    cookie_from: str | None = None
    transport: str | None = None
    via: str | None = None
    caller_name: str | None = None
    visible: bool = False
    as_name: str | None = None
    local_cookie_file: Path | None = None
    config: Path | None = None
    no_input: bool = False

    @property
    def transport_name(self) -> str | None:
        """The transport that they name; ``--via`` is short for one."""
        return "command" if self.via else self.transport


_OPTIONS: Final[Mapping[str, Any]] = {
    "backend": options.Backend,
    "profile": options.Profile,
    "option": options.Setting,
    "node": options.Node,
    "all_targets": options.All,
    "cookie_from": options.CookieFrom,
    "transport": options.Transport,
    "via": options.Via,
    "caller_name": options.CallerName,
    "visible": options.Visible,
    "as_name": options.AsName,
    "local_cookie_file": options.LocalCookieFile,
    "config": options.ConfigFile,
    "no_input": options.NoInput,
}


def takes_flags(
    *, without: Collection[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the flags as options, but for those that mean nothing to it.

    It gets them together, as its parameter ``flags``.
    """
    taken = [name for name in _OPTIONS if name not in without]

    def with_flags(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def called(**values: Any) -> None:
            flags = {name: values.pop(name) for name in taken}
            command(flags=Flags(**{**flags, "option": flags["option"] or ()}), **values)

        parameters = list(inspect.signature(command, eval_str=True).parameters.values())
        at = [parameter.name for parameter in parameters].index("flags")
        parameters[at : at + 1] = [_parameter(name) for name in taken]
        called.__dict__["__signature__"] = inspect.Signature(parameters)
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        return called

    return with_flags


def _parameter(name: str) -> inspect.Parameter:
    default = Flags.__dataclass_fields__[name].default
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None if name == "option" else default,
        annotation=_OPTIONS[name],
    )
