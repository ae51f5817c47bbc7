"""The settings of one offer, from every place that may set them.

Order: ``-o`` over ``ERLCONNECT_<OFFER>_<KEY>`` over what is inherited over the field's default.
Knows which place each value came from, so that an error names it; refuses to show the value of a
secret field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args, get_origin

import pydantic

from erlconnect.configuration.suggestions import did_you_mean
from erlconnect.errors import ConfigurationError, ErlconnectError, UnknownSettingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from erlconnect.api import Offer, Settings

_SECRET_TYPES = (pydantic.SecretStr, pydantic.SecretBytes)
_LIST_TYPES = (tuple, list, set, frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A value, the text it was given as, and the place it came from."""

    value: object
    text: str
    place: str
    error: type[ErlconnectError]

    def says(self, what: str) -> str:
        """Give the sentence that begins with the place."""
        return f"{self.place[0].upper()}{self.place[1:]}{what}"


def setting_fields(model: type[Settings]) -> dict[str, FieldInfo]:
    """Give the fields of ``model`` by the key under which people set them."""
    return {_key(name, field): field for name, field in model.model_fields.items()}


def _key(name: str, field: FieldInfo) -> str:
    return field.alias or name.replace("_", "-")


def variable_name(offer_name: str, key: str) -> str:
    """Give the environment variable that sets ``key`` of an offer."""
    return f"ERLCONNECT_{offer_name}_{key}".replace("-", "_").upper()


def argument_option(offer: Offer, argument: str) -> dict[str, str]:
    """Give ``NAME:ARG`` as the option it is short for; ``UsageError`` where ARG is not taken."""
    field = offer.settings.argument
    if field is None:
        raise UsageError(
            f"{offer.name!r} takes no argument after the colon", remedy=f"Write {offer.name!r}."
        )
    return {_key(field, offer.settings.model_fields[field]): argument}


def resolve_settings(
    offer: Offer,
    *,
    options: Mapping[str, str],
    inherited: Mapping[str, object],
    environment: Mapping[str, str],
    foreign: Collection[str] = (),
    option_prefix: str = "",
) -> Settings:
    """Validate the settings of ``offer``.

    ``options`` come without their prefix; ``option_prefix`` (``"cookie."``, ``"transport."``) is
    put back in messages. ``foreign`` holds beginnings of variable names that look like this
    offer's and are another's: ``ERLCONNECT_CONSUL_KV_`` is no setting of ``consul``. An empty
    variable counts as unset.

    Raises ``UnknownSettingError`` for what the command line got wrong, ``ConfigurationError`` for
    the environment and for what is inherited, ``UsageError`` for a setting that is missing.
    """
    fields = setting_fields(offer.settings)
    given: dict[str, _Given] = {}
    for key, value in inherited.items():
        place = f"the setting {key!r} that {offer.name!r} got with the target or profile"
        given[key.replace("_", "-")] = _Given(
            value=value, text=str(value), place=place, error=ConfigurationError
        )
    given |= _from_environment(offer.name, fields, environment, foreign)
    for key, text in options.items():
        place = f"-o {option_prefix}{key}"
        value = _parsed(fields.get(key), text)
        given[key] = _Given(value=value, text=text, place=place, error=UnknownSettingError)
    for key, found in given.items():
        if key not in fields:
            raise _unknown(offer.name, key, found, fields)
    try:
        return offer.settings.model_validate({key: found.value for key, found in given.items()})
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False, include_context=False)[0]
        raise _unusable(offer.name, details, given, fields, option_prefix) from None


def _from_environment(
    name: str,
    fields: Mapping[str, FieldInfo],
    environment: Mapping[str, str],
    foreign: Collection[str],
) -> dict[str, _Given]:
    keys = {variable_name(name, key): key for key in fields}
    given: dict[str, _Given] = {}
    for variable, text in environment.items():
        mine = variable.startswith(variable_name(name, "")) and not variable.startswith(
            tuple(foreign)
        )
        if text and (variable in keys or mine):
            key = keys.get(variable, variable)
            value = _parsed(fields.get(key), text)
            given[key] = _Given(
                value=value,
                text=text,
                place=f"the variable {variable}",
                error=ConfigurationError,
            )
    return given


def _parsed(field: FieldInfo | None, text: str) -> object:
    """Split lists at commas; everything else is read from its text by pydantic."""
    if field is None or not _mentions(field.annotation, _LIST_TYPES):
        return text
    return [part.strip() for part in text.split(",") if part.strip()]


def _mentions(annotation: Any, types: tuple[type, ...]) -> bool:
    if annotation in types or get_origin(annotation) in types:
        return True
    return any(_mentions(part, types) for part in get_args(annotation))


def _unknown(
    name: str, key: str, found: _Given, fields: Mapping[str, FieldInfo]
) -> ErlconnectError:
    # Only an unknown variable is kept under its own name.
    variable = key.startswith(variable_name(name, ""))
    spelled = [variable_name(name, field) if variable else field for field in fields]
    possible = ", ".join(spelled) or "none"
    return found.error(
        found.says(f": {name!r} has no such setting"),
        remedy=f"{did_you_mean(key, spelled)}The settings of {name!r}: {possible}.",
    )


def _unusable(
    name: str,
    details: ErrorDetails,
    given: Mapping[str, _Given],
    fields: Mapping[str, FieldInfo],
    option_prefix: str,
) -> ErlconnectError:
    key = str(details["loc"][0]) if details["loc"] else ""
    if key in fields and key not in given:
        return UsageError(
            f"{name!r} needs the setting {key!r}",
            remedy=f"Give -o {option_prefix}{key}=VALUE or set {variable_name(name, key)}.",
        )
    if key not in given:
        blame = next(
            (found for found in given.values() if found.error is UnknownSettingError), None
        )
        error = blame.error if blame else ConfigurationError
        return error(
            f"The settings of {name!r} do not fit together: {details['msg']}",
            remedy=f"Given were: {', '.join(found.place for found in given.values()) or 'none'}.",
        )
    found, field = given[key], fields[key]
    meaning = f" It means: {field.description}" if field.description else ""
    if _is_secret(field):
        return found.error(found.says(" cannot be used"), remedy=f"Correct it.{meaning}")
    return found.error(
        found.says(f"={found.text} cannot be used: {details['msg']}"),
        remedy=f"Correct it.{meaning}",
    )


def _is_secret(field: FieldInfo) -> bool:
    return not field.repr or _mentions(field.annotation, _SECRET_TYPES)
