"""The settings of one offer, from every place that may set them.

Order: ``-o`` over ``ERLCONNECT_<OFFER>_<KEY>`` over the profile over what comes with the target
over the field's default. Knows which place each value came from, so that an error names it.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from erlconnect.configuration.places import beside
from erlconnect.configuration.setting_faults import Given, validated
from erlconnect.configuration.setting_fields import (
    argument_option,
    mentions,
    setting_fields,
    variable_name,
)
from erlconnect.configuration.toml_text import toml_key, toml_value
from erlconnect.errors import ConfigurationError, UnknownSettingError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pydantic.fields import FieldInfo

    from erlconnect.api import Offer, Settings
    from erlconnect.configuration.problems import Problem
    from erlconnect.configuration.written import Written

__all__ = ["argument_option", "resolve_settings", "setting_fields", "variable_name"]

_LIST_TYPES = (tuple, list, set, frozenset)


def resolve_settings(
    offer: Offer,
    *,
    options: Mapping[str, str],
    inherited: Mapping[str, object],
    environment: Mapping[str, str],
    written: Mapping[str, Written] = MappingProxyType({}),
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
    given: dict[str, Given] = {}
    for key, value in inherited.items():
        place = f"the setting {key!r} that {offer.name!r} got with the target"
        given[key.replace("_", "-")] = Given(
            value=value, text=str(value), place=place, error=ConfigurationError
        )
    given |= _from_files(fields, written)
    given |= _from_environment(offer.name, fields, environment, foreign)
    for key, text in options.items():
        place = f"-o {option_prefix}{key}"
        value = _parsed(fields.get(key), text)
        given[key] = Given(value=value, text=text, place=place, error=UnknownSettingError)
    settings = validated(offer, given, fields, option_prefix)
    if isinstance(settings, list):
        raise settings[0].exception()
    return settings


def written_problems(offer: Offer, written: Mapping[str, Written]) -> Iterator[Problem]:
    """Give all that is wrong with what files say of an offer; missing is not wrong."""
    fields = setting_fields(offer.settings)
    settings = validated(offer, _from_files(fields, written), fields, "")
    for fault in settings if isinstance(settings, list) else ():
        if fault.key in written:
            yield fault.problem(written[fault.key])
        elif not fault.key:
            yield fault.problem(next(iter(written.values())))


def _from_files(
    fields: Mapping[str, FieldInfo], written: Mapping[str, Written]
) -> dict[str, Given]:
    return {
        key: Given(
            value=_located(fields.get(key), one),
            text=toml_value(one.value),
            place=f"{one.where}: {toml_key([key])}",
            error=ConfigurationError,
        )
        for key, one in written.items()
    }


def _located(field: FieldInfo | None, written: Written) -> object:
    """Give the value; what is a path begins at the folder of the file that it is written in."""
    value = written.value
    if field is None or not isinstance(value, str) or not mentions(field.annotation, (Path,)):
        return value
    return beside(written.path, value)


def _from_environment(
    name: str,
    fields: Mapping[str, FieldInfo],
    environment: Mapping[str, str],
    foreign: Collection[str],
) -> dict[str, Given]:
    keys = {variable_name(name, key): key for key in fields}
    given: dict[str, Given] = {}
    for variable, text in environment.items():
        mine = variable.startswith(variable_name(name, "")) and not variable.startswith(
            tuple(foreign)
        )
        if text and (variable in keys or mine):
            key = keys.get(variable, variable)
            value = _parsed(fields.get(key), text)
            given[key] = Given(
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
