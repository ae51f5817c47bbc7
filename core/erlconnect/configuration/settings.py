"""The settings of an offer: resolved from every place that may set them, and validated.

Order, best first: ``-o``, the variable ``ERLCONNECT_<OFFER>_<KEY>``, the profile, the reference
that came with the target, the default of the field. Each value keeps its place, so that an error
names it; the value of a secret is never shown. ``plugin_manager`` calls this for every plugin.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, get_args, get_origin

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

    from erlconnect.configuration.problems import ConfigValue, Problem
    from erlconnect.contract import Settings

_LIST_TYPES: Final = (tuple, list, set, frozenset)


def resolve_settings(
    offer: DeclaresSettings,
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
    for messages. ``written`` has the values of a profile, ``inherited`` those of the target's
    reference. ``foreign`` has prefixes of variables that look like this offer's and belong to
    another: ``ERLCONNECT_CONSUL_KV_`` sets nothing of ``consul``. An empty variable is unset.

    Raises ``UnknownSettingError`` for a mistake on the command line, ``ConfigurationError`` for one
    in variables, files and references, ``UsageError`` for a setting that is missing.
    """
    fields = setting_fields(offer.settings)
    # Later ones replace earlier ones, so the best comes last.
    candidates = {
        **_from_target(offer.name, inherited),
        **_from_files(fields, written),
        **_from_environment(offer.name, fields, environment, foreign),
        **_from_options(fields, options, option_prefix),
    }
    settings = _validated(offer, candidates, fields, option_prefix)
    if isinstance(settings, list):
        # One mistake is enough to end a command; ``profiles check`` lists all of them.
        raise settings[0].exception()
    return settings


def written_problems(
    offer: DeclaresSettings, written: Mapping[str, ConfigValue]
) -> Iterator[Problem]:
    """Return all mistakes in the settings of an offer that files have; a missing one is none."""
    fields = setting_fields(offer.settings)
    settings = _validated(offer, _from_files(fields, written), fields, "")
    for fault in settings if isinstance(settings, list) else ():
        if fault.key in written:
            yield fault.problem(written[fault.key])
        # No line is that of all settings together; the first one has to do.
        elif not fault.key:
            yield fault.problem(next(iter(written.values())))


# A protocol, because the settings of TLS belong to no plugin and so to no ``Offer``.
class DeclaresSettings(Protocol):
    """What has a name and settings under it: an ``Offer`` of a plugin, or a ``SettingsGroup``."""

    @property
    def name(self) -> str:
        """The name that stands in the variables of the settings."""

    @property
    def settings(self) -> type[Settings]:
        """The model of the settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsGroup:
    """Settings that belong to no plugin."""

    name: str
    settings: type[Settings]


def setting_fields(model: type[Settings]) -> dict[str, FieldInfo]:
    """Return the fields of ``model`` by the key under which people set them."""
    return {_key(name, field): field for name, field in model.model_fields.items()}


def _key(name: str, field: FieldInfo) -> str:
    return field.alias or name.replace("_", "-")


def variable_name(offer_name: str, key: str) -> str:
    """Return the environment variable that sets ``key`` of an offer."""
    return f"ERLCONNECT_{offer_name}_{key}".replace("-", "_").upper()


def argument_option(offer: DeclaresSettings, argument: str) -> dict[str, str]:
    """Return the option that ARG of ``NAME:ARG`` is short for.

    Raises ``UsageError`` where the offer takes no argument.
    """
    field = offer.settings.argument
    if field is None:
        raise UsageError(
            f"{offer.name!r} takes no argument after the colon", remedy=f"Write {offer.name!r}."
        )
    return {_key(field, offer.settings.model_fields[field]): argument}


def is_secret(field: FieldInfo) -> bool:
    """Return whether the value of ``field`` must not be shown."""
    return not field.repr or mentions(field.annotation, (pydantic.SecretStr, pydantic.SecretBytes))


def secret_keys(model: type[Settings]) -> set[str]:
    """Return the keys whose values must not be shown."""
    return {key for key, field in setting_fields(model).items() if is_secret(field)}


def mentions(annotation: Any, types: tuple[type, ...]) -> bool:
    """Return whether ``annotation`` is one of ``types``, or contains one."""
    if annotation in types or get_origin(annotation) in types:
        return True
    return any(mentions(part, types) for part in get_args(annotation))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A value to validate: ``text`` as it was given, ``error`` to raise if it cannot be used."""

    value: object
    text: str
    place: str
    error: type[ErlconnectError]


@dataclass(frozen=True, slots=True, kw_only=True)
class _SettingError:
    """One mistake: ``what`` continues the sentence that ``place``, or the key in a file, begins."""

    key: str
    place: str
    what: str
    remedy: str
    error: type[ErlconnectError]

    def exception(self) -> ErlconnectError:
        """Return the error with which a command ends."""
        place = f"T{self.place[1:]}" if self.place.startswith("the ") else self.place
        return self.error(f"{place}{self.what}", remedy=self.remedy)

    def problem(self, written: ConfigValue) -> Problem:
        """Return it as a problem of the file where the value is."""
        subject = toml_key([self.key]) if self.key else self.place
        return written.problem(f"{subject}{self.what}", self.remedy)


def _validated(
    offer: DeclaresSettings,
    candidates: Mapping[str, _Candidate],
    fields: Mapping[str, FieldInfo],
    option_prefix: str,
) -> Settings | list[_SettingError]:
    """Return the settings, or all mistakes: unknown keys first, then values that do not fit."""
    wrong = [
        _unknown(offer.name, key, one, fields)
        for key, one in candidates.items()
        if key not in fields
    ]
    try:
        # Once only: the validators of a plugin may read files or start programs.
        settings = offer.settings.model_validate(
            {key: found.value for key, found in candidates.items() if key in fields}
        )
    except pydantic.ValidationError as error:
        return wrong + [
            _unusable(offer.name, details, candidates, fields, option_prefix)
            # The URL would lead to pydantic's documentation, which is for programmers.
            for details in error.errors(include_url=False, include_context=False)
        ]
    return wrong or settings


def _unknown(
    name: str, key: str, found: _Candidate, fields: Mapping[str, FieldInfo]
) -> _SettingError:
    # ``_from_environment`` keeps a variable that sets nothing under its own name.
    variable = key.startswith(variable_name(name, ""))
    spelled = [variable_name(name, field) if variable else field for field in fields]
    possible = ", ".join(spelled) or "none"
    misplaced = _misplaced(name, key, found)
    return _SettingError(
        key=key,
        place=found.place,
        what=misplaced[0] if misplaced else f": {name!r} has no such setting",
        remedy=misplaced[1]
        if misplaced
        else f"{did_you_mean(key, spelled)}The settings of {name!r}: {possible}.",
        error=found.error,
    )


def _misplaced(name: str, key: str, found: _Candidate) -> tuple[str, str] | None:
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
    candidates: Mapping[str, _Candidate],
    fields: Mapping[str, FieldInfo],
    option_prefix: str,
) -> _SettingError:
    key = str(details["loc"][0]) if details["loc"] else ""
    # Pydantic reports a required field that is missing at the place of that field.
    if key in fields and key not in candidates:
        return _missing(name, key, option_prefix)
    # A validator of the whole model has no field as its place.
    if key not in candidates:
        return _clash(name, details, candidates)
    found, field = candidates[key], fields[key]
    meaning = f" It means: {field.description}" if field.description else ""
    said = "" if is_secret(field) else f"={found.text}"
    # Pydantic quotes the value in some messages.
    why = "" if is_secret(field) else f": {details['msg']}"
    return _SettingError(
        key=key,
        place=found.place,
        what=f"{said} cannot be used{why}",
        remedy=f"Correct it.{meaning}",
        error=found.error,
    )


def _missing(name: str, key: str, option_prefix: str) -> _SettingError:
    return _SettingError(
        key=key,
        place=repr(name),
        what=f" needs the setting {key!r}",
        remedy=f"Give -o {option_prefix}{key}=VALUE or set {variable_name(name, key)}.",
        error=UsageError,
    )


def _clash(name: str, details: ErrorDetails, candidates: Mapping[str, _Candidate]) -> _SettingError:
    # Of several places that clash an option is the easiest to correct, so the error is one of the
    # command line.
    by_user = any(found.error is UnknownSettingError for found in candidates.values())
    return _SettingError(
        key="",
        place=f"the settings of {name!r}",
        what=f" do not fit together: {details['msg']}",
        remedy=f"Given were: {', '.join(found.place for found in candidates.values()) or 'none'}.",
        error=UnknownSettingError if by_user else ConfigurationError,
    )


def _from_target(name: str, inherited: Mapping[str, object]) -> dict[str, _Candidate]:
    return {
        key.replace("_", "-"): _Candidate(
            value=value,
            text=str(value),
            place=f"the setting {key!r} that {name!r} got with the target",
            error=ConfigurationError,
        )
        for key, value in inherited.items()
    }


def _from_options(
    fields: Mapping[str, FieldInfo], options: Mapping[str, str], prefix: str
) -> dict[str, _Candidate]:
    return {
        key: _Candidate(
            value=_parsed(fields.get(key), text),
            text=text,
            place=f"-o {prefix}{key}",
            error=UnknownSettingError,
        )
        for key, text in options.items()
    }


def _from_files(
    fields: Mapping[str, FieldInfo], written: Mapping[str, ConfigValue]
) -> dict[str, _Candidate]:
    return {
        key: _Candidate(
            value=_located(fields.get(key), one),
            text=toml_value(one.value),
            place=f"{one.where}: {toml_key([key])}",
            error=ConfigurationError,
        )
        for key, one in written.items()
    }


def _located(field: FieldInfo | None, written: ConfigValue) -> object:
    """Return the value; a relative path starts at the folder of the file that it is in."""
    value = written.value
    if field is None or not isinstance(value, str) or not mentions(field.annotation, (Path,)):
        return value
    return beside(written.file, value)


def _from_environment(
    name: str,
    fields: Mapping[str, FieldInfo],
    environment: Mapping[str, str],
    foreign: Collection[str],
) -> dict[str, _Candidate]:
    keys = {variable_name(name, key): key for key in fields}
    candidates: dict[str, _Candidate] = {}
    for variable, text in environment.items():
        mine = variable.startswith(variable_name(name, "")) and not variable.startswith(
            tuple(foreign)
        )
        # A variable with the prefix of the offer that sets nothing is probably mistyped; it stays
        # under its own name, for an error.
        if text and (variable in keys or mine):
            key = keys.get(variable, variable)
            value = _parsed(fields.get(key), text)
            candidates[key] = _Candidate(
                value=value,
                text=text,
                place=f"the variable {variable}",
                error=ConfigurationError,
            )
    return candidates


def _parsed(field: FieldInfo | None, text: str) -> object:
    """Return the text; for a list its parts between commas. Pydantic converts the rest."""
    # Options and variables are only text; files have the lists of TOML and do not come here.
    if field is None or not mentions(field.annotation, _LIST_TYPES):
        return text
    return [part.strip() for part in text.split(",") if part.strip()]
