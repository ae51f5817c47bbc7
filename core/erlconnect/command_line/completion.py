"""Shell completion of options and TARGET, for bash, zsh and fish; typer calls it for the Tab key.

It raises no error, asks no question, and takes no longer than a second. Names from files and
directories end up in a shell, so only those of harmless characters are offered.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import typer  # noqa: TC002 - typer reads annotations at run time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from erlconnect.command_line.options import CliOptions
    from erlconnect.plugin_manager.validation import Kind

# After a longer time a shell seems to hang.
_SECONDS: Final = 1.0
# No spaces, quotes, dollars and semicolons: a shell would interpret them.
_HARMLESS: Final = re.compile(r"[\w.@%+:/][\w.@%+:/-]*", re.ASCII)


def backends(incomplete: str) -> list[str]:
    """Complete ``--backend``."""
    from erlconnect.plugin_manager.validation import Kind  # noqa: PLC0415 - --help is quick

    return _offers(Kind.BACKEND, incomplete)


def transports(incomplete: str) -> list[str]:
    """Complete ``--transport``."""
    from erlconnect.plugin_manager.validation import Kind  # noqa: PLC0415 - --help is quick

    return _offers(Kind.TRANSPORT, incomplete)


def cookie_sources(incomplete: str) -> list[str]:
    """Complete ``--cookie-from``."""
    from erlconnect.plugin_manager.validation import Kind  # noqa: PLC0415 - --help is quick

    return _offers(Kind.COOKIE_SOURCE, incomplete)


def profiles(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete ``--profile``."""
    from erlconnect.configuration.files import profile_names  # noqa: PLC0415 - --help is quick

    return _matching(profile_names(os.environ, ctx.params.get("config")), incomplete)


def profiles_and_services(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete NAME[/SERVICE]: profiles, and behind a ``/`` the services with tables in them."""
    from erlconnect.configuration.files import service_names  # noqa: PLC0415 - --help is quick

    before, slash, _ = incomplete.partition("/")
    if not slash:
        return profiles(ctx, incomplete)
    services = service_names(before, os.environ, ctx.params.get("config"))
    return _matching([f"{before}/{name}" for name in services], incomplete)


def targets(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete TARGET: services of the backend that is chosen so far, and profiles before a ``/``.

    The backend is that of the options, of the profile before the ``/``, or of the default profile;
    services that have a table in the profile come first.
    """
    from erlconnect.configuration.files import profile_names, service_names  # noqa: PLC0415

    params = ctx.params
    # With -p, a slash belongs to the name of the service.
    names = [] if params.get("profile") else profile_names(os.environ, params.get("config"))
    before, slash, _ = incomplete.partition("/")
    prefix = f"{before}/" if slash and before in names else ""
    profile = params.get("profile") or (before if prefix else "")
    written = service_names(profile, os.environ, params.get("config")) if profile else []
    # The target decides the profile only, so its own name does not matter here.
    unique = dict.fromkeys([*written, *_services(params, f"{prefix}x")])
    services = [f"{prefix}{name}" for name in unique]
    starts = [] if slash else [f"{name}/" for name in names]
    return _matching([*services, *starts], incomplete)


def _offers(kind: Kind, incomplete: str) -> list[str]:
    from erlconnect.plugin_manager.loading import (  # noqa: PLC0415 - read when it is used
        names_of_kind,
        scan,
    )

    entries, _ = scan({})
    return _matching(names_of_kind(entries, kind), incomplete)


def _services(params: dict[str, Any], target: str) -> list[str]:
    """Return the services that the backend lists; none if it takes longer than a second."""
    found: list[str] = []
    # A daemon thread, because a plugin may block for long: see ``exit_completion``.
    thread = threading.Thread(
        target=lambda: found.extend(_list_services(params, target)), daemon=True
    )
    thread.start()
    thread.join(_SECONDS)
    return found


def _list_services(params: dict[str, Any], target: str) -> Iterable[str]:
    import asyncio  # noqa: PLC0415 - --help is quick

    from erlconnect.command_line.resolve import resolve_config  # noqa: PLC0415
    from erlconnect.session.plugin_resolver import list_services  # noqa: PLC0415

    try:
        resolved = resolve_config(
            [target], _cli_options(params), environment=os.environ, warn=lambda _: None, ask=False
        )
        return asyncio.run(list_services(resolved.configs[0], resolved.catalogue, os.environ))
    except Exception:  # noqa: BLE001 - the user is typing, and an error would spoil the line
        return []


def _cli_options(params: dict[str, Any]) -> CliOptions:
    from erlconnect.command_line.options import CliOptions  # noqa: PLC0415 - --help is quick

    names = ("backend", "profile", "option", "cookie_from", "transport", "via", "config")
    values = {name: params[name] for name in names if params.get(name)}
    # A question would appear in the line that the user is typing.
    return CliOptions(**values, no_input=True)


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete) and _HARMLESS.fullmatch(name)]


def exit_completion(code: object) -> None:
    """End a process that completes words, without waiting for its threads."""
    if "_ERLCONNECT_COMPLETE" in os.environ:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 0)
