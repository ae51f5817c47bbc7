"""Which profile holds for a TARGET, and what to say where none does."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from erlconnect.configuration.profile import NO_PROFILE
from erlconnect.configuration.suggestions import did_you_mean
from erlconnect.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlconnect.command_line.flags import Flags
    from erlconnect.configuration.profile import Profile
    from erlconnect.configuration.profiles import Profiles


def find_profile(
    target: str, flags: Flags, profiles: Profiles, environment: Mapping[str, str]
) -> tuple[Profile, str]:
    """Give the profile that holds for ``target``, and the service of it that is meant.

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
