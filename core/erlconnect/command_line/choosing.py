"""From flags, variables and profiles to what a session is to do: the same way for every command.

Opens nothing and imports no plugin. Asks the questions that have to be answered first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from erlconnect.command_line import names
from erlconnect.command_line.asking import confirm_profiles, confirm_visible
from erlconnect.command_line.profile_choice import find_profile, no_backend
from erlconnect.configuration.files import read_configuration
from erlconnect.configuration.options import parse_options
from erlconnect.configuration.places import beside
from erlconnect.configuration.session_settings import SESSION_KEYS
from erlconnect.errors import UsageError
from erlconnect.plugin_catalogue import Catalogue
from erlconnect.plugin_catalogue.profile_problems import name_problems
from erlconnect.session.choices import Choices, ProfileSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from erlconnect.command_line.flags import Flags
    from erlconnect.configuration.profile import Profile


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
    ask: bool = True,
) -> Chosen:
    """Give what ``targets`` and ``flags`` mean together with the profiles that they name.

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
    return Chosen(choices=choices, catalogue=catalogue)


def _only_for_one(targets: Sequence[str], flags: Flags) -> None:
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
    service: str, profile: Profile, flags: Flags, environment: Mapping[str, str]
) -> Choices:
    def written(*keys: str) -> str | None:
        found = profile.get(*keys)
        return None if found is None else str(found.value)

    session = {key: found for key in SESSION_KEYS if (found := profile.get(key))}
    backend = flags.backend or written("backend") or no_backend(profile)
    return Choices(
        service=written("target") or service,
        backend=backend,
        profile=profile.name,
        options=parse_options(
            [*flags.option, *_command_option(flags)], environment=environment, written=session
        ),
        settings=ProfileSettings(
            backend=profile.table(backend),
            cookie=profile.table("cookie"),
            transport=profile.table("transport"),
        ),
        node=flags.node,
        all_targets=flags.all_targets,
        cookie_from=flags.cookie_from or written("cookie", "from"),
        transport=flags.transport_name or written("transport", "name"),
        caller_name=names.caller_name(flags.caller_name) or written("caller-name"),
        visible=flags.visible,
        no_input=flags.no_input,
        as_name=names.alias_name(flags.as_name) or written("as"),
        local_cookie_file=flags.local_cookie_file or _local_cookie_file(profile),
    )


def _local_cookie_file(profile: Profile) -> Path | None:
    found = profile.get("local-cookie-file")
    return beside(found.path, str(found.value)) if found else None


def _command_option(flags: Flags) -> list[str]:
    """Give ``--via`` as the setting that it is short for."""
    if flags.via is None:
        return []
    if flags.transport not in (None, "command"):
        raise UsageError(
            f"--via is short for the transport command, and --transport names {flags.transport}",
            remedy="Leave one of them out.",
        )
    return [f"transport.command={flags.via}"]
