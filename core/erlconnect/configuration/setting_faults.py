"""What is wrong with given settings, in words that name the place of each.

Knows the model of the settings, the values and their places; refuses to show a secret's value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pydantic

from erlconnect.configuration.profile_keys import SERVICE_KEYS
from erlconnect.configuration.session_settings import SESSION_KEYS, SESSION_PREFIX
from erlconnect.configuration.setting_fields import is_secret, variable_name
from erlconnect.configuration.suggestions import did_you_mean
from erlconnect.configuration.toml_text import toml_key
from erlconnect.errors import ConfigurationError, ErlconnectError, UnknownSettingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from erlconnect.api import Offer, Settings
    from erlconnect.configuration.problems import Problem
    from erlconnect.configuration.written import Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value, the text it was given as, and the place it came from."""

    value: object
    text: str
    place: str
    error: type[ErlconnectError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong: ``what`` follows the place, or the key in a file."""

    key: str
    place: str
    what: str
    remedy: str
    error: type[ErlconnectError]

    def exception(self) -> ErlconnectError:
        """Give it as the error with which a command ends."""
        place = f"T{self.place[1:]}" if self.place.startswith("the ") else self.place
        return self.error(f"{place}{self.what}", remedy=self.remedy)

    def problem(self, written: Written) -> Problem:
        """Give it as a problem of the file where the value is written."""
        subject = toml_key([self.key]) if self.key else self.place
        return written.problem(f"{subject}{self.what}", self.remedy)


def validated(
    offer: Offer,
    given: Mapping[str, Given],
    fields: Mapping[str, FieldInfo],
    option_prefix: str,
) -> Settings | list[Fault]:
    """Return the settings, or all that is wrong: unknown keys first, then values that do not fit.

    The validators of a plugin may read files or start programs, so they run once.
    """
    wrong = [
        _unknown(offer.name, key, one, fields) for key, one in given.items() if key not in fields
    ]
    try:
        settings = offer.settings.model_validate(
            {key: found.value for key, found in given.items() if key in fields}
        )
    except pydantic.ValidationError as error:
        return wrong + [
            _unusable(offer.name, details, given, fields, option_prefix)
            for details in error.errors(include_url=False, include_context=False)
        ]
    return wrong or settings


def _unknown(name: str, key: str, found: Given, fields: Mapping[str, FieldInfo]) -> Fault:
    # Only an unknown variable is kept under its own name.
    variable = key.startswith(variable_name(name, ""))
    spelled = [variable_name(name, field) if variable else field for field in fields]
    possible = ", ".join(spelled) or "none"
    misplaced = _misplaced(name, key, found)
    return Fault(
        key=key,
        place=found.place,
        what=misplaced[0] if misplaced else f": {name!r} has no such setting",
        remedy=misplaced[1]
        if misplaced
        else f"{did_you_mean(key, spelled)}The settings of {name!r}: {possible}.",
        error=found.error,
    )


def _misplaced(name: str, key: str, found: Given) -> tuple[str, str] | None:
    """Return what is wrong and where it belongs, for a key that is the session's or a profile's."""
    prefix = variable_name(name, "")
    own = key.removeprefix(prefix).lower().replace("_", "-")
    what = f": {own!r} is a setting of the session, not of {name!r}"
    if key.startswith(prefix):
        remedy = f"Its variable is {SESSION_PREFIX}{key.removeprefix(prefix)}."
        return (what, remedy) if own in SESSION_KEYS else None
    if found.error is UnknownSettingError:
        return (what, f"Write -o {key}={found.text}.") if key in SESSION_KEYS else None
    if key not in SERVICE_KEYS:
        return None
    return (
        what if key in SESSION_KEYS else f": {key!r} is a key of the profile, not of {name!r}",
        f"Write it into the profile's own table, above the table of {name!r}.",
    )


def _unusable(
    name: str,
    details: ErrorDetails,
    given: Mapping[str, Given],
    fields: Mapping[str, FieldInfo],
    option_prefix: str,
) -> Fault:
    key = str(details["loc"][0]) if details["loc"] else ""
    if key in fields and key not in given:
        return _missing(name, key, option_prefix)
    if key not in given:
        return _clash(name, details, given)
    found, field = given[key], fields[key]
    meaning = f" It means: {field.description}" if field.description else ""
    said = "" if is_secret(field) else f"={found.text}"
    why = "" if is_secret(field) else f": {details['msg']}"
    return Fault(
        key=key,
        place=found.place,
        what=f"{said} cannot be used{why}",
        remedy=f"Correct it.{meaning}",
        error=found.error,
    )


def _missing(name: str, key: str, option_prefix: str) -> Fault:
    return Fault(
        key=key,
        place=repr(name),
        what=f" needs the setting {key!r}",
        remedy=f"Give -o {option_prefix}{key}=VALUE or set {variable_name(name, key)}.",
        error=UsageError,
    )


def _clash(name: str, details: ErrorDetails, given: Mapping[str, Given]) -> Fault:
    by_user = any(found.error is UnknownSettingError for found in given.values())
    return Fault(
        key="",
        place=f"the settings of {name!r}",
        what=f" do not fit together: {details['msg']}",
        remedy=f"Given were: {', '.join(found.place for found in given.values()) or 'none'}.",
        error=UnknownSettingError if by_user else ConfigurationError,
    )
