"""From flags and variables to what a session is to do: the same way for every command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from erlconnect.command_line import names
from erlconnect.command_line.connect import _command_option, _named
from erlconnect.configuration.files import read_configuration
from erlconnect.configuration.options import parse_options
from erlconnect.plugin_catalogue import Catalogue
from erlconnect.session.choices import Choices

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What stands on the command line beside the names of targets."""

    backend: str | None = None
    profile: str | None = None
    option: Sequence[str] = ()
    node: str | None = None
    cookie_from: str | None = None
    transport: str | None = None
    via: str | None = None
    caller_name: str | None = None
    visible: bool = False
    as_name: str | None = None
    local_cookie_file: Path | None = None
    config: Path | None = None
    no_input: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was chosen for each target that was named, and the plugins to do it with."""

    choices: Sequence[Choices]
    catalogue: Catalogue


def choose(
    targets: Sequence[str],
    flags: Flags,
    *,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> Chosen:
    """Give what ``targets`` and ``flags`` mean."""
    configuration = read_configuration(flags.config, environment=environment)
    catalogue = Catalogue(prefer=configuration.prefer, warn=warn)
    choices = [
        Choices(
            service=target,
            backend=_named(flags.backend),
            options=parse_options(
                [*flags.option, *_command_option(flags.via, flags.transport)],
                environment=environment,
            ),
            node=flags.node,
            cookie_from=flags.cookie_from,
            transport="command" if flags.via else flags.transport,
            caller_name=names.caller_name(flags.caller_name),
            no_input=flags.no_input,
            as_name=names.alias_name(flags.as_name),
            local_cookie_file=flags.local_cookie_file,
        )
        for target in targets
    ]
    return Chosen(choices=choices, catalogue=catalogue)
