"""How the kit asks: a sentence for each demand, a deadline for each wait."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from erlconnect.errors import ErlconnectError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

Result = TypeVar("Result")

DEADLINE_SECONDS: Final = 30.0


def demand(condition: object, sentence: str) -> None:
    """Raise ``AssertionError`` with ``sentence`` unless ``condition`` holds."""
    if not condition:
        raise AssertionError(sentence)


def demand_type(value: object, expected: type | tuple[type, ...], what: str) -> None:
    """Raise ``AssertionError`` unless ``value`` is an ``expected``."""
    types = expected if isinstance(expected, tuple) else (expected,)
    names = " or ".join(one.__name__ for one in types)
    demand(isinstance(value, types), f"{what} must be {names}, not {type(value).__name__}")


async def within(awaitable: Awaitable[Result], what: str, seconds: float) -> Result:
    """Give the result; ``AssertionError`` where it takes longer than ``seconds``."""
    demand(inspect.isawaitable(awaitable), f"{what} must be asynchronous")
    try:
        async with asyncio.timeout(seconds) as deadline:
            return await awaitable
    except TimeoutError as error:
        demand(not deadline.expired(), f"{what} must end within {seconds:g} s")
        raise AssertionError(
            f"{what} raised TimeoutError, which is none of erlconnect's"
        ) from error


async def refusal(
    awaitable: Awaitable[object],
    expected: tuple[type[ErlconnectError], ...],
    what: str,
    seconds: float,
) -> None:
    """Demand that one of ``expected`` is raised, with words for people."""
    names = " or ".join(error.__name__ for error in expected)
    try:
        result = await within(awaitable, what, seconds)
    except expected as error:
        demand(error.message.strip(), f"{what}: the {type(error).__name__} has no message")
        demand(error.remedy.strip(), f"{what}: the {type(error).__name__} says no remedy")
        return
    except ErlconnectError as error:
        raise AssertionError(f"{what} must raise {names}, not {type(error).__name__}") from error
    raise AssertionError(f"{what} must raise {names}; it gave {result!r}")


@contextmanager
def ungrouped() -> Iterator[None]:
    """Let the first error of a task group out as it is, so that its sentence is read."""
    try:
        yield
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
