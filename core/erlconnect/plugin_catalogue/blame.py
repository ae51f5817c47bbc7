"""Puts a plugin's name on what goes wrong inside it, and on what takes too long."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from erlconnect.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from erlconnect.plugin_catalogue.entries import CatalogueEntry

SLOW_SECONDS: Final = 2.0

_LONGEST_QUOTE: Final = 300


def plugin_error(entry: CatalogueEntry, what: str) -> PluginError:
    """Give the error that says what is wrong with a plugin, and to whom to tell it."""
    if entry.built_in:
        remedy = "This is a bug in erlconnect: please report it."
    else:
        remedy = f"Upgrade or uninstall {entry.distribution}, or report it to its authors."
    return PluginError(f"The plugin {entry.name!r} of {entry.origin} {what}", remedy=remedy)


@contextmanager
def blaming(
    entry: CatalogueEntry,
    doing: str,
    *,
    expected: tuple[type[Exception], ...] = (),
    secretive: bool = False,
) -> Iterator[None]:
    """Turn whatever is raised inside into a ``PluginError`` that says who was ``doing`` what.

    ``expected`` passes unchanged, and so do cancellation and Ctrl-C. ``secretive`` keeps the text
    of the exception back, because it may quote a cookie.
    """
    try:
        yield
    except expected:
        raise
    except (Exception, SystemExit) as error:
        kind = type(error).__name__
        if secretive:
            raise plugin_error(entry, f"raised {kind} in {doing}") from None
        text = " ".join(str(error).split())[:_LONGEST_QUOTE]
        raise plugin_error(entry, f"raised {kind} in {doing}: {text}") from error


@contextmanager
def attending(entry: CatalogueEntry, doing: str, warn: Callable[[str], None]) -> Iterator[None]:
    """Run a plugin's import or hook: blame it for what it raises, and say when it is slow.

    ``warn`` is called, from another thread, when it takes longer than ``SLOW_SECONDS``: synchronous
    code cannot be stopped from outside, so it is only named.
    """
    slow = f"takes more than {SLOW_SECONDS:g} s for {doing}"
    message = f"The plugin {entry.name!r} of {entry.origin} {slow}"
    timer = threading.Timer(SLOW_SECONDS, warn, [message])
    timer.daemon = True
    timer.start()
    try:
        with blaming(entry, doing):
            yield
    finally:
        timer.cancel()
