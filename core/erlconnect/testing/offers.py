"""What every offer has to be, whatever it offers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import Offer, Settings
from erlconnect.configuration.settings import setting_fields
from erlconnect.testing.demands import demand, demand_type

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def check_offer(offer: Offer) -> None:
    """Check the name, the words and the settings of ``offer``; nothing is created."""
    demand_type(offer, Offer, "what a hook returns")
    demand(_NAME.fullmatch(offer.name), f"the name {offer.name!r} must be lower case with dashes")
    demand(offer.summary.strip(), "an offer must have a summary")
    demand("\n" not in offer.summary, "the summary of an offer must be one line")
    demand(callable(offer.create), "create must be callable with the settings")
    demand_type(offer.needs, tuple, "needs")
    demand(offer.install or not offer.needs, "an offer with needs must say how to install them")
    _check_settings(offer.settings)


def _check_settings(model: type[Settings]) -> None:
    demand(
        isinstance(model, type) and issubclass(model, Settings),
        "settings must be a subclass of erlconnect.api.Settings",
    )
    demand(model.model_config.get("frozen"), f"{model.__name__} must stay frozen")
    demand(model.model_config.get("extra") == "forbid", f"{model.__name__} must forbid extra keys")
    demand(
        model.argument is None or model.argument in model.model_fields,
        f"{model.__name__}.argument names {model.argument!r}, which is none of its fields",
    )
    for key, field in setting_fields(model).items():
        _check_field(model, key, field)
    _check_schema(model.model_json_schema(), model)


def _check_field(model: type[Settings], key: str, field: FieldInfo) -> None:
    demand(_NAME.fullmatch(key), f"the key {key!r} of {model.__name__} must be lower case words")
    name = key.replace("-", "_")
    demand(model.model_fields.get(name) is field, f"the key {key!r} must be the name of its field")
    demand((field.description or "").strip(), f"the setting {key!r} must have a description")


def _check_schema(schema: dict[str, Any], model: type[Settings]) -> None:
    described = list(schema.get("properties", {}))
    keys = list(setting_fields(model))
    demand(described == keys, f"the JSON schema of {model.__name__} must have the keys {keys}")
    json.dumps(schema)
