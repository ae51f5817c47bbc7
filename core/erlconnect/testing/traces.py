"""What a call has left behind: tasks, open file descriptors, child processes."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from erlconnect.testing.demands import DEADLINE_SECONDS, demand, ungrouped, within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator

# A library's thread, or the other end of a connection, may need a moment to notice.
GRACE_SECONDS: Final = 5.0

_SETTLING_SECONDS: Final = 0.1

# Turns of the event loop before the cancellation; seconds for what is slower.
_TURNS: Final = (0, 1, 2, 3, 5, 8)
_LATER_SECONDS: Final = 0.02


class _Trace(NamedTuple):
    """One thing that is there; two with the same identity are the same thing."""

    kind: str
    identity: object


@asynccontextmanager
async def nothing_left(what: str) -> AsyncIterator[None]:
    """Demand that soon after there is no more of anything than before.

    What is kept ready may be another one of its kind by then.
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
                await asyncio.sleep(0)
            task.cancel()


async def _settled() -> dict[_Trace, str]:
    """Give the traces when what is kept ready has been made ready."""
    before: dict[_Trace, str] = {}
    deadline = monotonic() + GRACE_SECONDS
    while (traces := _traces()) != before and monotonic() < deadline:
        before = traces
        await asyncio.sleep(_SETTLING_SECONDS)
    return traces


def _kinds(traces: Iterable[_Trace]) -> Counter[str]:
    return Counter(trace.kind for trace in traces)


def _traces() -> dict[_Trace, str]:
    """Give all there are now, and how to call each."""
    return dict([*_tasks(), *_descriptors(), *_children()])


def _tasks() -> Iterator[tuple[_Trace, str]]:
    for task in asyncio.all_tasks():
        yield _Trace("task", task), f"the task {task.get_coro()!r}"


def _descriptors() -> Iterator[tuple[_Trace, str]]:
    folder = next((path for path in ("/proc/self/fd", "/dev/fd") if Path(path).is_dir()), None)
    for path in Path(folder).iterdir() if folder else ():
        # The descriptor of the listing itself is closed by now.
        with suppress(OSError):
            status = os.fstat(int(path.name))
            identity = (path.name, status.st_dev, status.st_ino)
            yield _Trace("descriptor", identity), f"the open file descriptor {path.name}"


def _children() -> Iterator[tuple[_Trace, str]]:
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            for process in path.read_text().split():
                yield _Trace("child", process), f"the child process {process}"
