"""From flags, variables and profiles to what a session is to do: the same way for every command.

Opens nothing and imports no plugin. Asks the questions that have to be answered first.

Which profile holds for a TARGET, and what to say where none does.

Names that users choose, checked before anything is opened.

Questions before what cannot be taken back; where nobody can be asked it is an error.
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


def find_profile(
    target: str, flags: CliOptions, profiles: Profiles, environment: Mapping[str, str]
) -> tuple[Profile, str]:
    """Return the profile that holds for ``target``, and the service of it that is meant.

    A backend on the command line stands for itself: then only a profile that is named as well
    counts, and not the default one. Raises ``UnknownProfileError``, ``UsageError`` where nothing
    says where to look, and what is wrong with the profiles that are used.
    """
    before, slash, after = target.partition("/")
    name, service = flags.profile, target
    if name is None and slash and after and before in profiles.names():
        name, service = before, after
    if name is None and flags.backend is None:
        name = _default(profiles, environment)
        if name is None:
            raise _nothing_named(did_you_mean(before, profiles.names()) if slash else "")
    if name is None:
        return NO_PROFILE, target
    cookie_from = (flags.cookie_from or "").partition(":")[0] or None
    chosen = {"cookie": cookie_from, "transport": flags.transport_name}
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


def _nothing_named(guess: str) -> UsageError:
    return UsageError(
        "no backend was named, so nothing says where to look",
        remedy=f"{guess}Name one with `-b`, or a profile with `-p`; `erlconnect plugins` and "
        "`erlconnect profiles` list them.",
    )


def alias_name(text: str | None) -> str | None:
    """Return what ``--as`` says; ``UsageError`` where it cannot be the name part of an alias."""
    if text is not None:
        _check(
            "--as", f"{text}@localhost", "Write the part before the '@' alone, e.g. `--as shop`."
        )
    return text


def caller_name(text: str | None) -> str | None:
    """Return what ``--caller-name`` says; ``UsageError`` where no node can have that name."""
    if text is not None:
        whole = text if "@" in text else f"{text}@erlconnect.invalid"
        _check("--caller-name", whole, "Write NAME or NAME@HOST, e.g. `--caller-name console`.")
    return text


def _check(option: str, name: str, remedy: str) -> None:
    try:
        NodeName.parse(name)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", remedy=remedy) from None


def confirm(question: str, *, asked_by: str, remedy: str, no_input: bool) -> None:
    """Go on after a yes.

    Raises ``InterruptedByUserError`` after anything else, and ``UsageError`` with ``remedy`` where
    there is no terminal or ``--no-input`` was given. ``asked_by`` begins that message.
    """
    if no_input or not sys.stdin.isatty():
        raise UsageError(
            f"{asked_by} asks for confirmation, and nobody can be asked here", remedy=remedy
        )
    try:
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
    chosen: Sequence[tuple[SessionConfig, Profile]], catalogue: Catalogue, *, no_input: bool
) -> None:
    """Ask before profiles are used that want to be asked for; once for each of them."""
    wanted = {one.name: found for _, one in chosen if (found := one.get("confirm")) and found.value}
    for name, confirmed in wanted.items():
        there = [choices for choices, one in chosen if one.name == name]
        places = "; ".join(_place(choices, catalogue) for choices in there)
        confirm(
            f"The profile {name} leads to {places}. Connect?",
            asked_by=f"the profile {name} ({confirmed.where})",
            remedy="Answer at a terminal, without --no-input. What needs no question belongs into "
            "a profile without `confirm = true`.",
            no_input=no_input,
        )


def _place(choices: SessionConfig, catalogue: Catalogue) -> str:
    """Say where a connection would go: what is looked for, by which backend with which settings."""
    backend = choices.backend
    settings = {key: one.value for key, one in backend.written.items()}
    settings |= backend.options
    offer = catalogue.offer(Kind.BACKEND, backend.name)
    hidden = dict.fromkeys(secret_keys(offer.settings) & set(settings), HIDDEN)
    shown = [f"{key} {value}" for key, value in {**settings, **hidden}.items()]
    return f"{choices.service} ({', '.join([backend.name, *shown])})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedConfig:
    """What was chosen for each target that was named, and the plugins to do it with."""

    choices: Sequence[SessionConfig]
    catalogue: Catalogue


def resolve_config(
    targets: Sequence[str],
    flags: CliOptions,
    *,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
    ask: bool = True,
) -> ResolvedConfig:
    """Return what ``targets`` and ``flags`` mean together with the profiles that they name.

    Without ``ask`` no question is asked: nothing follows that would need one.

    Raises ``UsageError`` for flags that make no sense, ``ConfigurationError`` for files and
    variables, and ``InterruptedByUserError`` where the user says no to a question.
    """
    _only_for_one(targets, flags)
    configuration = read_configuration(flags.config, environment=environment)
    catalogue = Catalogue(prefer=configuration.prefer, warn=warn)
    profiles = configuration.profiles
    found = [find_profile(target, flags, profiles, environment) for target in targets]
    for profile, _ in found:
        for problem in name_problems(catalogue.entries(), profile):
            raise problem.error()
    choices = [_choices(service, profile, flags, environment) for profile, service in found]
    if ask:
        if flags.visible:
            confirm_visible(no_input=flags.no_input)
        with_profiles = [(one, profile) for one, (profile, _) in zip(choices, found, strict=True)]
        confirm_profiles(with_profiles, catalogue, no_input=flags.no_input)
    return ResolvedConfig(choices=choices, catalogue=catalogue)


def _only_for_one(targets: Sequence[str], flags: CliOptions) -> None:
    """Refuse what can hold for one target alone."""
    if len(targets) == 1:
        return
    for option, value in (("--node", flags.node), ("--as", flags.as_name)):
        if value is not None:
            raise UsageError(
                f"{option} is for one target, and {len(targets)} are named",
                remedy=f"Leave {option} out, or connect to them with a command each.",
            )
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice", remedy="Name each target once.")


def _choices(
    service: str, profile: Profile, flags: CliOptions, environment: Mapping[str, str]
) -> SessionConfig:
    def written(*keys: str) -> str | None:
        found = profile.get(*keys)
        return None if found is None else str(found.value)

    session = {key: found for key in SESSION_KEYS if (found := profile.get(key))}
    backend = flags.backend or written("backend") or no_backend(profile)
    options = parse_options(
        [*flags.option, *_command_option(flags)], environment=environment, written=session
    )
    return SessionConfig(
        service=written("target") or service,
        backend=PluginSpec(name=backend, options=options.backend, written=profile.table(backend)),
        cookie_source=PluginSpec.parse(
            flags.cookie_from or written("cookie", "from") or "",
            options=options.cookie,
            written=profile.table("cookie"),
        ),
        transport=PluginSpec(
            name=flags.transport_name or written("transport", "name") or "",
            options=options.transport,
            written=profile.table("transport"),
        ),
        settings=options.session,
        profile=profile.name,
        node=flags.node,
        all_targets=flags.all_targets,
        caller_name=caller_name(flags.caller_name) or written("caller-name"),
        visible=flags.visible,
        guard=_guard(profile, flags),
        no_input=flags.no_input,
        as_name=alias_name(flags.as_name) or written("as"),
        local_cookie_file=flags.local_cookie_file or _local_cookie_file(profile),
    )


def _guard(profile: Profile, flags: CliOptions) -> GuardConfig:
    stop, inbound = profile.get("allow-stop"), profile.get("inbound")
    wanted = flags.inbound or (inbound.value if inbound else "guarded")
    return GuardConfig(
        allow_stop=flags.allow_stop or bool(stop and stop.value),
        inbound="full" if wanted == "full" else "guarded",
    )


def _local_cookie_file(profile: Profile) -> Path | None:
    found = profile.get("local-cookie-file")
    return beside(found.path, str(found.value)) if found else None


def _command_option(flags: CliOptions) -> list[str]:
    """Return ``--via`` as the setting that it is short for."""
    if flags.via is None:
        return []
    if flags.transport not in (None, "command"):
        raise UsageError(
            f"--via is short for the transport command, and --transport names {flags.transport}",
            remedy="Leave one of them out.",
        )
    return [f"transport.command={flags.via}"]
