"""What the checks of the conformance kit have in common, and the check of an offer itself.

``demand`` raises ``AssertionError`` with a sentence, ``within`` gives each wait a deadline, and
``nothing_left`` compares tasks, file descriptors and child processes before and after a call.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
from collections import Counter
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from erlconnect.configuration.settings import setting_fields
from erlconnect.contract import Offer, Settings
from erlconnect.errors import ErlconnectError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator

    from pydantic.fields import FieldInfo

Result = TypeVar("Result")
DEADLINE_SECONDS: Final = 30.0
# A library's thread, or the other end of a connection, may need a moment to notice.
GRACE_SECONDS: Final = 5.0
_SETTLING_SECONDS: Final = 0.1
# Turns of the event loop before the cancellation; seconds for what is slower.
_TURNS: Final = (0, 1, 2, 3, 5, 8)
_LATER_SECONDS: Final = 0.02
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
    """Return the result; ``AssertionError`` where it takes longer than ``seconds``."""
    demand(inspect.isawaitable(awaitable), f"{what} must be asynchronous")
    try:
        async with asyncio.timeout(seconds) as deadline:
            return await awaitable
    except TimeoutError as error:
        # The plugin may have raised a TimeoutError of its own; the deadline has not expired then.
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


class _Trace(NamedTuple):
    """A task, descriptor or child process that exists; ``identity`` is unique in its kind."""

    kind: str
    identity: object


@asynccontextmanager
async def nothing_left(what: str) -> AsyncIterator[None]:
    """Demand that soon after the block no more tasks, descriptors and children exist than before.

    They are counted by kind: a connection that is kept open may have been replaced by then.
    """
    before = await _settled()
    yield
    deadline = monotonic() + GRACE_SECONDS
    while more := _kinds(_traces()) - _kinds(before):
        left = [
            words
            for trace, words in _traces().items()
            if trace not in before and trace.kind in more
        ]
        demand(monotonic() < deadline, f"{what} left behind: {', '.join(left)}")
        await asyncio.sleep(0.01)


async def cancelled_early(call: Callable[[], Coroutine[Any, Any, object]], what: str) -> None:
    """Cancel ``call`` at several early moments and demand that nothing is left of it."""
    for turns in (*_TURNS, None):
        async with nothing_left(f"{what}, cancelled,"):
            await within(_cancelled(call(), turns), f"{what}, cancelled,", DEADLINE_SECONDS)


async def _cancelled(call: Coroutine[Any, Any, object], turns: int | None) -> None:
    with ungrouped():
        async with asyncio.TaskGroup() as group:
            task = group.create_task(call)
            if turns is None:
                await asyncio.sleep(_LATER_SECONDS)
            for _ in range(turns or 0):
                # One turn of the loop, in which the call gets to its next await.
                await asyncio.sleep(0)
            task.cancel()


async def _settled() -> dict[_Trace, str]:
    """Return the traces once two looks, 0.1 s apart, find the same, or after five seconds."""
    before: dict[_Trace, str] = {}
    deadline = monotonic() + GRACE_SECONDS
    while (traces := _traces()) != before and monotonic() < deadline:
        before = traces
        await asyncio.sleep(_SETTLING_SECONDS)
    return traces


def _kinds(traces: Iterable[_Trace]) -> Counter[str]:
    return Counter(trace.kind for trace in traces)


def _traces() -> dict[_Trace, str]:
    """Return the present tasks, descriptors and children, each with its name for messages."""
    return dict([*_tasks(), *_descriptors(), *_children()])


def _tasks() -> Iterator[tuple[_Trace, str]]:
    for task in asyncio.all_tasks():
        yield _Trace("task", task), f"the task {task.get_coro()!r}"


def _descriptors() -> Iterator[tuple[_Trace, str]]:
    # /proc is Linux's; macOS and the BSDs have /dev/fd.
    folder = next((path for path in ("/proc/self/fd", "/dev/fd") if Path(path).is_dir()), None)
    for path in Path(folder).iterdir() if folder else ():
        # The descriptor of the listing itself is closed by now.
        with suppress(OSError):
            status = os.fstat(int(path.name))
            # The kernel gives a closed descriptor's number to the next file, so the number is not
            # enough.
            identity = (path.name, status.st_dev, status.st_ino)
            yield _Trace("descriptor", identity), f"the open file descriptor {path.name}"


def _children() -> Iterator[tuple[_Trace, str]]:
    # Linux lists child processes by the thread that started them (proc_tid_children(5)).
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            for process in path.read_text().split():
                yield _Trace("child", process), f"the child process {process}"
