"""Waits until something about a group of pods may have changed, by a watch.

Refuses to know what changed: whoever follows asks for the whole again. Watches:
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from erlconnect.api import RefusedError
from erlconnect_backends.kubernetes_cluster.questions import changes_of

if TYPE_CHECKING:
    from erlconnect_backends.kubernetes_cluster.questions import Question
    from erlconnect_backends.kubernetes_cluster.rest import Rest

_WATCH_SECONDS: Final = 240
_GRACE_SECONDS: Final = 10
_POLL_SECONDS: Final = 15.0


async def something_changed(rest: Rest, question: Question, *, since: str) -> None:
    """Return at the first change after the version ``since``, and after a while in any case.

    Who may not watch is let wait. Raises ``LookupFailedError`` and its kin. Cancelled, it leaves no
    connection behind.
    """
    asked = changes_of(question, since=since, seconds=_WATCH_SECONDS)
    try:
        async with (
            asyncio.timeout(_WATCH_SECONDS + _GRACE_SECONDS),
            aclosing(rest.watch(asked)) as events,
        ):
            async for _ in events:
                return
    except TimeoutError:
        return
    except RefusedError:
        await asyncio.sleep(_POLL_SECONDS)
