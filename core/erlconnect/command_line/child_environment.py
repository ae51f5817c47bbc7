"""The variables by which the tools that a session is opened for find their node.

Each tool reads its own; what they mean to it stands in docs/guides/shell-and-run.md. A cookie is
among them only if it was asked for, because children of children see it, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from erlconnect.session.events import Ready

# Hidden on this side, too; and no epmd may be started in place of the session's own.
_ERL_FLAGS: Final = "-hidden -start_epmd false"


def child_environment(
    environment: Mapping[str, str], ready: Ready, cookie_file: Path
) -> dict[str, str]:
    """Give ``environment`` with what leads to the first alias of ``ready``, and no cookie."""
    alias = ready.aliases[0]
    return {
        **_without_epmd_address(environment),
        "ERL_EPMD_PORT": str(ready.epmd_port),
        "ERL_FLAGS": _appended(environment, "ERL_FLAGS", _ERL_FLAGS),
        "ELIXIR_ERL_OPTIONS": _appended(environment, "ELIXIR_ERL_OPTIONS", "-hidden"),
        "ERLCONNECT_ALIAS": alias.alias,
        "ERLCONNECT_SHORT_ALIAS": alias.short_alias,
        "ERLCONNECT_NODE": alias.node,
        "ERLCONNECT_COOKIE_FILE": str(cookie_file),
        "LIVEBOOK_DISTRIBUTION": "name",
        "LIVEBOOK_NODE": "livebook@127.0.0.1",
        "RABBITMQ_NODENAME": alias.alias,
        "RABBITMQ_USE_LONGNAME": "true",
        "RELEASE_DISTRIBUTION": "name",
        "RELEASE_NODE": alias.alias,
    }


def cookie_variables(ready: Ready, cookie: str) -> dict[str, str]:
    """Give the variables that hold a cookie, for children that read it nowhere else."""
    return {
        "ERLCONNECT_COOKIE": cookie,
        "LIVEBOOK_COOKIE": cookie,
        "LIVEBOOK_DEFAULT_RUNTIME": f"attached:{ready.aliases[0].alias}:{cookie}",
        "RABBITMQ_ERLANG_COOKIE": cookie,
        "RELEASE_COOKIE": cookie,
    }


def _without_epmd_address(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in environment.items() if name != "ERL_EPMD_ADDRESS"}


def _appended(environment: Mapping[str, str], name: str, flags: str) -> str:
    return f"{environment.get(name, '')} {flags}".strip()
