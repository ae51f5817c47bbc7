"""Looks at what a hook returned and at what an offer created; believes nothing."""

from __future__ import annotations

import inspect
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from erlconnect.configuration.profile import OFFER_KEYS
from erlconnect.configuration.session_settings import SESSION_KEYS
from erlconnect.errors import MissingExtraError
from erlconnect.plugin_catalogue.blame import plugin_error
from erlconnect.plugin_catalogue.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Offer
    from erlconnect.plugin_catalogue.entries import CatalogueEntry


def judge_result(entry: CatalogueEntry, kind: Kind, result: object) -> Sequence[Offer]:
    """Give the offers that a hook returned; ``PluginError`` where they are none."""
    from erlconnect.api import Offer  # noqa: PLC0415 - it imports pydantic

    refuse_unfinished(entry, kind.hook, result)
    if not isinstance(result, list | tuple):
        raise plugin_error(entry, f"returned {type(result).__name__} from {kind.hook}, not a list")
    for offer in result:
        if not isinstance(offer, Offer):
            raise plugin_error(
                entry, f"returned {type(offer).__name__} from {kind.hook}, not an Offer"
            )
        fault = _fault(kind, offer)
        if fault:
            raise plugin_error(entry, f"returned an unusable offer from {kind.hook}: {fault}")
    return result


def judge_created(entry: CatalogueEntry, kind: Kind, created: object) -> object:
    """Give ``created`` back where it is what ``kind`` has to be; else ``PluginError``."""
    refuse_unfinished(entry, f"create() of its {kind}", created)
    if not callable(getattr(created, kind.method, None)):
        raise plugin_error(
            entry,
            f"created {type(created).__name__}, which is no {kind}: it has no {kind.method}()",
        )
    return created


def refuse_unfinished(entry: CatalogueEntry, doing: str, result: object) -> None:
    """Raise ``PluginError`` for what has to be awaited or iterated before it is a result."""
    if inspect.iscoroutine(result) or inspect.isgenerator(result):
        result.close()
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise plugin_error(entry, f"has made {doing} asynchronous or a generator; it must return")


def missing_libraries(offer: Offer) -> tuple[str, ...]:
    """Give those of the offer's libraries that are not installed; imports none of them."""
    return tuple(name for name in offer.needs if not _installed(name))


def require_libraries(entry: CatalogueEntry, kind: Kind, offer: Offer) -> None:
    """Raise ``MissingExtraError`` where a library of ``offer`` is not installed."""
    missing = missing_libraries(offer)
    if missing:
        raise MissingExtraError(
            f"The {kind} {entry.name!r} of {entry.origin} needs {' and '.join(missing)}, "
            "which is not installed",
            remedy=offer.install or f"Install {' '.join(missing)}.",
        )


def _installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except (ImportError, ValueError):
        return False


def _fault(kind: Kind, offer: Offer) -> str:
    """Say what makes ``offer`` unusable; annotations do not bind anybody at run time."""
    from erlconnect.api import Settings  # noqa: PLC0415 - it imports pydantic

    anything: Any = offer
    if not isinstance(anything.name, str) or not isinstance(anything.summary, str):
        return "its name or its summary is no text"
    if not (isinstance(anything.settings, type) and issubclass(anything.settings, Settings)):
        return "its settings are no subclass of erlconnect.api.Settings"
    if not callable(anything.create):
        return "its create cannot be called"
    if not _texts(anything.needs) or not isinstance(anything.install, str):
        return "its needs are no tuple of texts, or its install is no text"
    return _clash(kind, offer)


def _texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(part, str) and part for part in value)


def _clash(kind: Kind, offer: Offer) -> str:
    from erlconnect.configuration.setting_fields import setting_fields  # noqa: PLC0415 - pydantic

    keys = set(setting_fields(offer.settings))
    taken = sorted(keys & set(SESSION_KEYS))
    if kind is Kind.BACKEND and taken:
        return f"its setting {taken[0]!r} is one of the session's own"
    naming = {Kind.COOKIE_SOURCE: OFFER_KEYS["cookie"], Kind.TRANSPORT: OFFER_KEYS["transport"]}
    if naming.get(kind) in keys:
        return f"its setting {naming[kind]!r} would be taken for the name of a {kind} in a profile"
    return ""
