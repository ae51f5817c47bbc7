"""The settings of one offer, from every place that may set them.

Order: ``-o`` over ``ERLCONNECT_<OFFER>_<KEY>`` over the profile over what comes with the target
over the field's default. Knows which place each value came from, so that an error names it.

What is wrong with given settings, in words that name the place of each.

Knows the model of the settings, the values and their places; refuses to show a secret's value.

The fields of an offer's settings: how people spell them, and what kind of value they hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_args, get_origin

import pydantic

from erlconnect.configuration.paths import beside
from erlconnect.configuration.problems import did_you_mean
from erlconnect.configuration.profile_schema import SERVICE_KEYS
from erlconnect.configuration.session_settings import SESSION_KEYS, SESSION_PREFIX
from erlconnect.configuration.toml import toml_key, toml_value
from erlconnect.errors import ConfigurationError, ErlconnectError, UnknownSettingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from erlconnect.configuration.problems import Problem, ConfigValue
    from erlconnect.contract import Offer, Settings


def setting_fields(model: type[Settings]) -> dict[str, FieldInfo]:
    """Return the fields of ``model`` by the key under which people set them."""
    return {_key(name, field): field for name, field in model.model_fields.items()}


def _key(name: str, field: FieldInfo) -> str:
    return field.alias or name.replace("_", "-")


def variable_name(offer_name: str, key: str) -> str:
    """Return the environment variable that sets ``key`` of an offer."""
    return f"ERLCONNECT_{offer_name}_{key}".replace("-", "_").upper()


def argument_option(offer: Offer, argument: str) -> dict[str, str]:
    """Return ``NAME:ARG`` as the option it is short for; ``UsageError`` where ARG is not taken."""
    field = offer.settings.argument
    if field is None:
        raise UsageError(
            f"{offer.name!r} takes no argument after the colon", remedy=f"Write {offer.name!r}."
        )
    return {_key(field, offer.settings.model_fields[field]): argument}


def is_secret(field: FieldInfo) -> bool:
    """Whether nobody may see the value of ``field``."""
    return not field.repr or mentions(field.annotation, (pydantic.SecretStr, pydantic.SecretBytes))


def secret_keys(model: type[Settings]) -> set[str]:
    """Return the keys whose values nobody may see."""
    return {key for key, field in setting_fields(model).items() if is_secret(field)}


def mentions(annotation: Any, types: tuple[type, ...]) -> bool:
    """Whether ``annotation`` is one of ``types``, or has one inside."""
    if annotation in types or get_origin(annotation) in types:
        return True
    return any(mentions(part, types) for part in get_args(annotation))


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenValue:
    """A value, the text it was given as, and the place it came from."""

    value: object
    text: str
    place: str
    error: type[ErlconnectError]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingFault:
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

    def problem(self, written: ConfigValue) -> Problem:
        """Give it as a problem of the file where the value is written."""
        subject = toml_key([self.key]) if self.key else self.place
        return written.problem(f"{subject}{self.what}", self.remedy)


def validated(
    offer: Offer,
    given: Mapping[str, GivenValue],
    fields: Mapping[str, FieldInfo],
    option_prefix: str,
) -> Settings | list[SettingFault]:
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


def _unknown(
    name: str, key: str, found: GivenValue, fields: Mapping[str, FieldInfo]
) -> SettingFault:
    # Only an unknown variable is kept under its own name.
    variable = key.startswith(variable_name(name, ""))
    spelled = [variable_name(name, field) if variable else field for field in fields]
    possible = ", ".join(spelled) or "none"
    misplaced = _misplaced(name, key, found)
    return SettingFault(
        key=key,
        place=found.place,
        what=misplaced[0] if misplaced else f": {name!r} has no such setting",
        remedy=misplaced[1]
        if misplaced
        else f"{did_you_mean(key, spelled)}The settings of {name!r}: {possible}.",
        error=found.error,
    )


def _misplaced(name: str, key: str, found: GivenValue) -> tuple[str, str] | None:
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
    given: Mapping[str, GivenValue],
    fields: Mapping[str, FieldInfo],
    option_prefix: str,
) -> SettingFault:
    key = str(details["loc"][0]) if details["loc"] else ""
    if key in fields and key not in given:
        return _missing(name, key, option_prefix)
    if key not in given:
        return _clash(name, details, given)
    found, field = given[key], fields[key]
    meaning = f" It means: {field.description}" if field.description else ""
    said = "" if is_secret(field) else f"={found.text}"
    why = "" if is_secret(field) else f": {details['msg']}"
    return SettingFault(
        key=key,
        place=found.place,
        what=f"{said} cannot be used{why}",
        remedy=f"Correct it.{meaning}",
        error=found.error,
    )


def _missing(name: str, key: str, option_prefix: str) -> SettingFault:
    return SettingFault(
        key=key,
        place=repr(name),
        what=f" needs the setting {key!r}",
        remedy=f"Give -o {option_prefix}{key}=VALUE or set {variable_name(name, key)}.",
        error=UsageError,
    )


def _clash(name: str, details: ErrorDetails, given: Mapping[str, GivenValue]) -> SettingFault:
    by_user = any(found.error is UnknownSettingError for found in given.values())
    return SettingFault(
        key="",
        place=f"the settings of {name!r}",
        what=f" do not fit together: {details['msg']}",
        remedy=f"Given were: {', '.join(found.place for found in given.values()) or 'none'}.",
        error=UnknownSettingError if by_user else ConfigurationError,
    )


__all__ = ["argument_option", "resolve_settings", "setting_fields", "variable_name"]
_LIST_TYPES = (tuple, list, set, frozenset)


def resolve_settings(
    offer: Offer,
    *,
    options: Mapping[str, str],
    inherited: Mapping[str, object],
    environment: Mapping[str, str],
    written: Mapping[str, ConfigValue] = MappingProxyType({}),
    foreign: Collection[str] = (),
    option_prefix: str = "",
) -> Settings:
    """Validate the settings of ``offer``.

    ``options`` come without their prefix; ``option_prefix`` (``"cookie."``, ``"transport."``) is
    put back in messages. ``written`` is what a profile says, ``inherited`` what came with the
    target. ``foreign`` holds beginnings of variable names that look like this offer's and are
    another's: ``ERLCONNECT_CONSUL_KV_`` is no setting of ``consul``. An empty variable counts as
    unset.

    Raises ``UnknownSettingError`` for what the command line got wrong, ``ConfigurationError`` for
    the environment, the files and what is inherited, ``UsageError`` for a setting that is missing.
    """
    fields = setting_fields(offer.settings)
    given: dict[str, GivenValue] = {}
    for key, value in inherited.items():
        place = f"the setting {key!r} that {offer.name!r} got with the target"
        given[key.replace("_", "-")] = GivenValue(
            value=value, text=str(value), place=place, error=ConfigurationError
        )
    given |= _from_files(fields, written)
    given |= _from_environment(offer.name, fields, environment, foreign)
    for key, text in options.items():
        place = f"-o {option_prefix}{key}"
        value = _parsed(fields.get(key), text)
        given[key] = GivenValue(value=value, text=text, place=place, error=UnknownSettingError)
    settings = validated(offer, given, fields, option_prefix)
    if isinstance(settings, list):
        raise settings[0].exception()
    return settings


def written_problems(offer: Offer, written: Mapping[str, ConfigValue]) -> Iterator[Problem]:
    """Return all that is wrong with what files say of an offer; missing is not wrong."""
    fields = setting_fields(offer.settings)
    settings = validated(offer, _from_files(fields, written), fields, "")
    for fault in settings if isinstance(settings, list) else ():
        if fault.key in written:
            yield fault.problem(written[fault.key])
        elif not fault.key:
            yield fault.problem(next(iter(written.values())))


def _from_files(
    fields: Mapping[str, FieldInfo], written: Mapping[str, ConfigValue]
) -> dict[str, GivenValue]:
    return {
        key: GivenValue(
            value=_located(fields.get(key), one),
            text=toml_value(one.value),
            place=f"{one.where}: {toml_key([key])}",
            error=ConfigurationError,
        )
        for key, one in written.items()
    }


def _located(field: FieldInfo | None, written: ConfigValue) -> object:
    """Return the value; what is a path begins at the folder of the file that it is written in."""
    value = written.value
    if field is None or not isinstance(value, str) or not mentions(field.annotation, (Path,)):
        return value
    return beside(written.path, value)


def _from_environment(
    name: str,
    fields: Mapping[str, FieldInfo],
    environment: Mapping[str, str],
    foreign: Collection[str],
) -> dict[str, GivenValue]:
    keys = {variable_name(name, key): key for key in fields}
    given: dict[str, GivenValue] = {}
    for variable, text in environment.items():
        mine = variable.startswith(variable_name(name, "")) and not variable.startswith(
            tuple(foreign)
        )
        if text and (variable in keys or mine):
            key = keys.get(variable, variable)
            value = _parsed(fields.get(key), text)
            given[key] = GivenValue(
                value=value,
                text=text,
                place=f"the variable {variable}",
                error=ConfigurationError,
            )
    return given


def _parsed(field: FieldInfo | None, text: str) -> object:
    """Split lists at commas; everything else is read from its text by pydantic."""
    if field is None or not mentions(field.annotation, _LIST_TYPES):
        return text
    return [part.strip() for part in text.split(",") if part.strip()]
