"""Checks of what a plugin returns, and guards around the calls into it.

Annotations bind nobody at run time, so the result of every hook and of ``create`` is checked here.
A guard names the plugin in what it raises, and warns of a call that takes too long. ``Kind`` has
the three kinds of offers, with their hooks, their options and their one required method.
"""

from __future__ import annotations

import inspect
import threading
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from erlconnect.configuration.profiles import OFFER_KEYS
from erlconnect.configuration.session_settings import SESSION_KEYS
from erlconnect.errors import MissingExtraError, PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from erlconnect.contract import Offer
    from erlconnect.plugin_manager.loading import CatalogueEntry

# After it the plugin is named; docs/plugins/writing-a-backend.md has the number, too.
SLOW_SECONDS: Final = 2.0
_LONGEST_QUOTE: Final = 300


class Kind(StrEnum):
    """What an offer is; the value is the word that people read."""

    BACKEND = "backend"
    COOKIE_SOURCE = "cookie source"
    TRANSPORT = "transport"

    @property
    def hook(self) -> str:
        """The hook through which a plugin registers offers of this kind."""
        return f"erlconnect_{self.value.replace(' ', '_')}s"

    @property
    def option_prefix(self) -> str:
        """What stands before the key in ``-o KEY=VALUE``; nothing for a backend."""
        return {"backend": "", "cookie source": "cookie.", "transport": "transport."}[self.value]

    @property
    def method(self) -> str:
        """The method that an object of this kind must have."""
        return {"backend": "discover", "cookie source": "fetch", "transport": "open"}[self.value]


def plugin_error(entry: CatalogueEntry, what: str) -> PluginError:
    """Return an error that names the plugin; ``what`` continues its sentence."""
    if entry.built_in:
        remedy = "This is a bug in erlconnect: please report it."
    else:
        remedy = f"Upgrade or uninstall {entry.distribution}, or report it to its authors."
    return PluginError(f"The plugin {entry.name!r} of {entry.origin} {what}", remedy=remedy)


@contextmanager
def attribute_errors(
    entry: CatalogueEntry,
    doing: str,
    *,
    expected: tuple[type[Exception], ...] = (),
    secretive: bool = False,
) -> Iterator[None]:
    """Turn exceptions inside into ``PluginError``, which names the plugin and ``doing``.

    ``expected`` passes unchanged, and so do cancellation and Ctrl-C. ``secretive`` leaves the text
    of the exception out, because it may quote a cookie.
    """
    try:
        yield
    except expected:
        raise
    # A plugin that calls sys.exit() must not end the session.
    except (Exception, SystemExit) as error:
        kind = type(error).__name__
        if secretive:
            # Without a cause, because a traceback would show its text.
            raise plugin_error(entry, f"raised {kind} in {doing}") from None
        text = " ".join(str(error).split())[:_LONGEST_QUOTE]
        raise plugin_error(entry, f"raised {kind} in {doing}: {text}") from error


@contextmanager
def slow_call_watchdog(
    entry: CatalogueEntry, doing: str, warn: Callable[[str], None]
) -> Iterator[None]:
    """Turn what a plugin's import or hook raises into ``PluginError``, and warn if it is slow.

    ``warn`` is called, from another thread, when it takes longer than ``SLOW_SECONDS``. Synchronous
    code cannot be stopped from outside, so the plugin is only named.
    """
    slow = f"takes more than {SLOW_SECONDS:g} s for {doing}"
    message = f"The plugin {entry.name!r} of {entry.origin} {slow}"
    timer = threading.Timer(SLOW_SECONDS, warn, [message])
    # It must not keep the process alive.
    timer.daemon = True
    timer.start()
    try:
        with attribute_errors(entry, doing):
            yield
    finally:
        timer.cancel()


def validate_result(entry: CatalogueEntry, kind: Kind, result: object) -> Sequence[Offer]:
    """Return ``result`` as the offers of a hook; ``PluginError`` where it is none."""
    from erlconnect.contract import Offer  # noqa: PLC0415 - it imports pydantic

    refuse_asynchronous(entry, kind.hook, result)
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


def validate_created(entry: CatalogueEntry, kind: Kind, created: object) -> object:
    """Return ``created`` if it has the method of its kind; else raise ``PluginError``."""
    refuse_asynchronous(entry, f"create() of its {kind}", created)
    if not callable(getattr(created, kind.method, None)):
        raise plugin_error(
            entry,
            f"created {type(created).__name__}, which is no {kind}: it has no {kind.method}()",
        )
    return created


def refuse_asynchronous(entry: CatalogueEntry, doing: str, result: object) -> None:
    """Raise ``PluginError`` for a coroutine, another awaitable, or a generator."""
    # A coroutine that is neither awaited nor closed makes Python warn later.
    if inspect.iscoroutine(result) or inspect.isgenerator(result):
        result.close()
    if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
        raise plugin_error(entry, f"has made {doing} asynchronous or a generator; it must return")


def missing_libraries(offer: Offer) -> tuple[str, ...]:
    """Return the libraries of the offer that are not installed; imports none of them."""
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
    # find_spec raises ValueError for a module that has no __spec__.
    except (ImportError, ValueError):
        return False


def _fault(kind: Kind, offer: Offer) -> str:
    """Return what makes ``offer`` unusable; an empty text if nothing does."""
    from erlconnect.contract import Settings  # noqa: PLC0415 - it imports pydantic

    # mypy trusts the annotations of Offer, and would call the checks below unreachable.
    anything: Any = offer
    if not isinstance(anything.name, str) or not isinstance(anything.summary, str):
        return "its name or its summary is no text"
    if not (isinstance(anything.settings, type) and issubclass(anything.settings, Settings)):
        return "its settings are no subclass of erlconnect.api.Settings"
    if not callable(anything.create):
        return "its create cannot be called"
    if not _is_texts(anything.needs) or not isinstance(anything.install, str):
        return "its needs are no tuple of texts, or its install is no text"
    return _key_conflict(kind, offer)


def _is_texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(part, str) and part for part in value)


def _key_conflict(kind: Kind, offer: Offer) -> str:
    from erlconnect.configuration.settings import setting_fields  # noqa: PLC0415 - pydantic

    keys = set(setting_fields(offer.settings))
    # Keys of a backend have no prefix on the command line, so one of these would be ambiguous.
    taken = sorted(keys & set(SESSION_KEYS))
    if kind is Kind.BACKEND and taken:
        return f"its setting {taken[0]!r} is one of the session's own"
    naming = {Kind.COOKIE_SOURCE: OFFER_KEYS["cookie"], Kind.TRANSPORT: OFFER_KEYS["transport"]}
    if naming.get(kind) in keys:
        return f"its setting {naming[kind]!r} would be taken for the name of a {kind} in a profile"
    return ""
