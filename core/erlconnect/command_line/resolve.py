"""From the command line, variables and profiles to the configuration of a session.

Every command resolves its configuration here, in the same way. Nothing is opened and no plugin is
imported, except to show the settings of a profile that asks for confirmation.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import typer

from erlconnect.configuration.files import read_configuration
from erlconnect.configuration.paths import beside
from erlconnect.configuration.problems import did_you_mean
from erlconnect.configuration.profiles import NO_PROFILE
from erlconnect.configuration.session_settings import SESSION_KEYS, parse_options
from erlconnect.configuration.settings import secret_keys
from erlconnect.distribution.names import NodeName
from erlconnect.errors import InterruptedByUserError, UsageError
from erlconnect.guard.link_guard import GuardConfig
from erlconnect.plugin_manager import Catalogue
from erlconnect.plugin_manager.profiles import HIDDEN, name_problems
from erlconnect.plugin_manager.validation import Kind
from erlconnect.session.config import SessionConfig
from erlconnect.session.plugin_resolver import PluginSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from erlconnect.command_line.options import CliOptions
    from erlconnect.configuration.profiles import Profile, Profiles


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedConfig:
    """The configuration for each target that was named, and the plugins."""

    configs: Sequence[SessionConfig]
    catalogue: Catalogue


def resolve_config(
    targets: Sequence[str],
    cli: CliOptions,
    *,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
    ask: bool = True,
) -> ResolvedConfig:
    """Return a session's configuration for each of ``targets``, with their profiles and ``cli``.

    ``ask`` is false for commands that open no session and so need no confirmation.

    Raises ``UsageError`` for options that do not fit together, ``ConfigurationError`` for files and
    variables, and ``InterruptedByUserError`` where the user says no to a question.
    """
    _check_targets(targets, cli)
    configuration = read_configuration(cli.config, environment=environment)
    catalogue = Catalogue(prefer=configuration.prefer, warn=warn)
    profiles = configuration.profiles
    found = [find_profile(target, cli, profiles, environment) for target in targets]
    # Names alone are compared here: a plugin is imported when it is used.
    for profile, _ in found:
        for problem in name_problems(catalogue.entries(), profile):
            raise problem.error()
    configs = [_session_config(service, profile, cli, environment) for profile, service in found]
    # After the checks above: nobody should confirm a command that cannot run.
    if ask:
        if cli.visible:
            confirm_visible(no_input=cli.no_input)
        with_profiles = [(one, profile) for one, (profile, _) in zip(configs, found, strict=True)]
        confirm_profiles(with_profiles, catalogue, no_input=cli.no_input)
    return ResolvedConfig(configs=configs, catalogue=catalogue)


def _check_targets(targets: Sequence[str], cli: CliOptions) -> None:
    """Raise ``UsageError`` for a target named twice, or an option that is for one target only."""
    if len(targets) == 1:
        return
    for option, value in (("--node", cli.node), ("--as", cli.as_name)):
        if value is not None:
            raise UsageError(
                f"{option} is for one target, and {len(targets)} are named",
                remedy=f"Leave {option} out, or connect to them with a command each.",
            )
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice", remedy="Name each target once.")


def _session_config(
    service: str, profile: Profile, cli: CliOptions, environment: Mapping[str, str]
) -> SessionConfig:
    def from_profile(*keys: str) -> str | None:
        found = profile.get(*keys)
        return None if found is None else str(found.value)

    session = {key: found for key in SESSION_KEYS if (found := profile.get(key))}
    backend = cli.backend or from_profile("backend") or no_backend(profile)
    options = parse_options(
        [*cli.option, *_command_option(cli)], environment=environment, written=session
    )
    return SessionConfig(
        service=from_profile("target") or service,
        backend=PluginSpec(name=backend, options=options.backend, written=profile.table(backend)),
        cookie_source=PluginSpec.parse(
            cli.cookie_from or from_profile("cookie", "from") or "",
            options=options.cookie,
            written=profile.table("cookie"),
        ),
        transport=PluginSpec(
            name=cli.transport_name or from_profile("transport", "name") or "",
            options=options.transport,
            written=profile.table("transport"),
        ),
        settings=options.session,
        profile=profile.name,
        node=cli.node,
        all_targets=cli.all_targets,
        caller_name=caller_name(cli.caller_name) or from_profile("caller-name"),
        visible=cli.visible,
        guard=_guard(profile, cli),
        no_input=cli.no_input,
        as_name=alias_name(cli.as_name) or from_profile("as"),
        local_cookie_file=cli.local_cookie_file or _local_cookie_file(profile),
    )


def _guard(profile: Profile, cli: CliOptions) -> GuardConfig:
    # No option takes back the ``allow-stop`` of a profile; ``--inbound`` wins over its ``inbound``.
    stop, inbound = profile.get("allow-stop"), profile.get("inbound")
    choice = cli.inbound or (inbound.value if inbound else "guarded")
    return GuardConfig(
        allow_stop=cli.allow_stop or bool(stop and stop.value),
        inbound="full" if choice == "full" else "guarded",
    )


def _local_cookie_file(profile: Profile) -> Path | None:
    found = profile.get("local-cookie-file")
    # A path in a file is relative to that file; one on the command line to the working directory.
    return beside(found.file, str(found.value)) if found else None


def _command_option(cli: CliOptions) -> list[str]:
    """Return ``--via`` as the setting that it is short for."""
    if cli.via is None:
        return []
    if cli.transport not in (None, "command"):
        raise UsageError(
            f"--via is short for the transport command, and --transport names {cli.transport}",
            remedy="Leave one of them out.",
        )
    return [f"transport.command={cli.via}"]


def find_profile(
    target: str, cli: CliOptions, profiles: Profiles, environment: Mapping[str, str]
) -> tuple[Profile, str]:
    """Return the profile for ``target``, and the name of the service in it.

    A backend on the command line needs no profile: the default one is then not used, only one that
    is named as well. Raises ``UnknownProfileError``, ``UsageError`` where neither a backend nor a
    profile is known, and ``ProblemError`` for a mistake in the profiles that are used.
    """
    before, slash, after = target.partition("/")
    name, service = cli.profile, target
    # What precedes a slash is a profile only if there is one: `deploy/shop` is for the backend.
    if name is None and slash and after and before in profiles.names():
        name, service = before, after
    if name is None and cli.backend is None:
        name = _default(profiles, environment)
        if name is None:
            raise _no_backend_named(did_you_mean(before, profiles.names()) if slash else "")
    if name is None:
        return NO_PROFILE, target
    cookie_from = (cli.cookie_from or "").partition(":")[0] or None
    # Settings for another cookie source or transport must not reach the one that is named.
    chosen = {"cookie": cookie_from, "transport": cli.transport_name}
    return profiles.resolve(name, service, chosen=chosen), service


def _default(profiles: Profiles, environment: Mapping[str, str]) -> str | None:
    name = environment.get("ERLCONNECT_PROFILE")
    if not name:
        return profiles.default()
    if name not in profiles.names():
        raise profiles.unknown(
            name, f"the variable ERLCONNECT_PROFILE: there is no profile {name!r}"
        )
    return name


def no_backend(profile: Profile) -> NoReturn:
    """Raise ``UsageError`` for a profile that names no backend."""
    raise UsageError(
        f"the profile {profile.name!r} names no backend, so nothing says where to look",
        remedy=f"Write `backend = ...` into it, or name one with `-b`; "
        f"`erlconnect profiles explain {profile.name}` shows where its values come from.",
    )


def _no_backend_named(guess: str) -> UsageError:
    return UsageError(
        "no backend was named, so nothing says where to look",
        remedy=f"{guess}Name one with `-b`, or a profile with `-p`; `erlconnect plugins` and "
        "`erlconnect profiles` list them.",
    )


def alias_name(text: str | None) -> str | None:
    """Return the value of ``--as``; ``UsageError`` where it is no name part of a node name."""
    if text is not None:
        _check_node_name(
            "--as", f"{text}@localhost", "Write the part before the '@' alone, e.g. `--as shop`."
        )
    return text


def caller_name(text: str | None) -> str | None:
    """Return the value of ``--caller-name``; ``UsageError`` where no node can have that name."""
    if text is not None:
        # A host part is added later where there is none; for the check any valid one will do.
        whole = text if "@" in text else f"{text}@erlconnect.invalid"
        _check_node_name(
            "--caller-name", whole, "Write NAME or NAME@HOST, e.g. `--caller-name console`."
        )
    return text


def _check_node_name(option: str, name: str, remedy: str) -> None:
    try:
        NodeName.parse(name)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", remedy=remedy) from None


def confirm(question: str, *, asked_by: str, remedy: str, no_input: bool) -> None:
    """Ask ``question``, and return after a yes.

    Raises ``InterruptedByUserError`` after any other answer, and ``UsageError`` with ``remedy``
    where there is no terminal or ``--no-input`` was given. ``asked_by`` begins that message.
    """
    if no_input or not sys.stdin.isatty():
        raise UsageError(
            f"{asked_by} asks for confirmation, and nobody can be asked here", remedy=remedy
        )
    try:
        # On stderr, because stdout carries the result.
        sure = typer.confirm(question, err=True)
    except typer.Abort:
        sure = False
    if not sure:
        raise InterruptedByUserError("stopped before anything was opened", remedy="")


def confirm_visible(*, no_input: bool) -> None:
    """Ask before a local node becomes a visible member of the remote cluster."""
    confirm(
        "A visible local node joins the remote cluster: `global` of OTP 25 and later may then "
        "disconnect production nodes from each other. Go on?",
        asked_by="--visible",
        remedy="Leave --visible out: hidden nodes can call, trace and observe all the same.",
        no_input=no_input,
    )


def confirm_profiles(
    resolved: Sequence[tuple[SessionConfig, Profile]], catalogue: Catalogue, *, no_input: bool
) -> None:
    """Ask before profiles with ``confirm = true`` are used; once for each of them."""
    confirmations = {
        one.name: found for _, one in resolved if (found := one.get("confirm")) and found.value
    }
    for name, confirmed in confirmations.items():
        configs = [config for config, one in resolved if one.name == name]
        places = "; ".join(_destination(config, catalogue) for config in configs)
        confirm(
            f"The profile {name} leads to {places}. Connect?",
            asked_by=f"the profile {name} ({confirmed.where})",
            remedy="Answer at a terminal, without --no-input. What needs no question belongs into "
            "a profile without `confirm = true`.",
            no_input=no_input,
        )


def _destination(config: SessionConfig, catalogue: Catalogue) -> str:
    """Return the service, the backend and its settings, without secrets."""
    backend = config.backend
    settings = {key: one.value for key, one in backend.written.items()}
    # Options win over the profile, as in ``resolve_settings``.
    settings |= backend.options
    offer = catalogue.offer(Kind.BACKEND, backend.name)
    # The question stays visible on the terminal, and in what records it.
    hidden = dict.fromkeys(secret_keys(offer.settings) & set(settings), HIDDEN)
    shown = [f"{key} {value}" for key, value in {**settings, **hidden}.items()]
    return f"{config.service} ({', '.join([backend.name, *shown])})"
