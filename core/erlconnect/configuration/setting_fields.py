"""The fields of an offer's settings: how people spell them, and what kind of value they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args, get_origin

import pydantic

from erlconnect.errors import UsageError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from erlconnect.api import Offer, Settings


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


def is_secret(field: FieldInfo) -> bool:
    """Whether nobody may see the value of ``field``."""
    return not field.repr or mentions(field.annotation, (pydantic.SecretStr, pydantic.SecretBytes))


def secret_keys(model: type[Settings]) -> set[str]:
    """Give the keys whose values nobody may see."""
    return {key for key, field in setting_fields(model).items() if is_secret(field)}


def mentions(annotation: Any, types: tuple[type, ...]) -> bool:
    """Whether ``annotation`` is one of ``types``, or has one inside."""
    if annotation in types or get_origin(annotation) in types:
        return True
    return any(mentions(part, types) for part in get_args(annotation))
