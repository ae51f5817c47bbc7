"""From options to the choices of a session, for every command that opens one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from erlconnect.command_line import names
from erlconnect.configuration.options import parse_options
from erlconnect.errors import UsageError
from erlconnect.session.choices import Choices

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def choices(
    *,
    target: str,
    backend: str | None,
    option: Sequence[str] | None,
    node: str | None,
    cookie_from: str | None,
    transport: str | None,
    via: str | None,
    caller_name: str | None,
    no_input: bool,
    as_name: str | None = None,
    local_cookie_file: Path | None = None,
    visible: bool = False,
) -> Choices:
    """Give what the options mean. Raises ``UsageError`` where they make no sense together."""
    return Choices(
        service=target,
        backend=_named(backend),
        options=parse_options(
            [*(option or []), *_command_option(via, transport)], environment=os.environ
        ),
        node=node,
        cookie_from=cookie_from,
        transport="command" if via else transport,
        caller_name=names.caller_name(caller_name),
        visible=visible,
        no_input=no_input,
        as_name=names.alias_name(as_name),
        local_cookie_file=local_cookie_file,
    )


def _named(backend: str | None) -> str:
    if backend is None:
        raise UsageError(
            "no backend was named, so nothing says where to look",
            remedy="Name one with `-b`; `erlconnect plugins` lists them.",
        )
    return backend


def _command_option(via: str | None, transport: str | None) -> list[str]:
    """Give ``--via`` as the setting that it is short for."""
    if via is None:
        return []
    if transport not in (None, "command"):
        raise UsageError(
            f"--via is short for the transport command, and --transport names {transport}",
            remedy="Leave one of them out.",
        )
    return [f"transport.command={via}"]
