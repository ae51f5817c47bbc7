"""Watches: a stream of what has changed, one JSON object a line, from a version on.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from world.kubernetes.selectors import matcher
from world.kubernetes.statuses import bad_request, expired

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from world.kubernetes.calls import Call
    from world.kubernetes.objects import Change, Objects
    from world.kubernetes.selectors import Matches

_LONGEST: Final = 1800


class Watches:
    """Serves watches of ``objects`` in the running event loop, until ``close()``."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        objects.observe(self._wake)

    def close(self) -> None:
        self._objects.stop_observing(self._wake)

    def lines(self, call: Call, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """The events of one watch, until its time is over or its history is forgotten.

        Raises RefusedError at once for what is no proper watch.
        """
        seconds = _number(query, "timeoutSeconds") or _LONGEST
        return self._lines(call, _Watch(call, query), _number(query, "resourceVersion"), seconds)

    async def _lines(
        self, call: Call, watch: _Watch, version: int, seconds: int
    ) -> AsyncIterator[bytes]:
        deadline = self._loop.time() + seconds
        if watch.with_list or not version:
            items, version = self._objects.every(call.kind.plural, call.namespace)
            for item in filter(watch.selected, items):
                yield _line("ADDED", item)
        if watch.with_list:
            yield watch.bookmark(version, {"k8s.io/initial-events-end": "true"})
        while True:
            changed = self._changed
            changes = self._objects.changes_since(version)
            if changes is None:
                yield _line("ERROR", expired(version, self._objects.version))
                return
            for line in watch.lines(changes):
                yield line
            version = changes[-1].version if changes else version
            try:
                async with asyncio.timeout_at(deadline):
                    await changed.wait()
            except TimeoutError:
                return

    def _wake(self) -> None:
        self._loop.call_soon_threadsafe(self._wake_all)

    def _wake_all(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class _Watch:
    """What one watch is told."""

    def __init__(self, call: Call, query: Mapping[str, str]) -> None:
        self._call = call
        self._bookmarks = query.get("allowWatchBookmarks") in ("1", "true")
        self.with_list = query.get("sendInitialEvents") in ("1", "true")
        self.selected: Matches = matcher(
            query.get("labelSelector", ""), query.get("fieldSelector", "")
        )

    def lines(self, changes: list[Change]) -> Iterator[bytes]:
        """Tell of changes; what comes into the selection is added, what leaves it deleted."""
        told = 0
        for change in changes:
            before, after = self._seen(change, change.before), self._seen(change, change.after)
            if after is not None:
                yield _line("ADDED" if before is None else "MODIFIED", after)
            elif before is not None:
                meta = {**before["metadata"], "resourceVersion": str(change.version)}
                yield _line("DELETED", {**before, "metadata": meta})
            told = change.version if before or after else told
        if self._bookmarks and changes and told != changes[-1].version:
            yield self.bookmark(changes[-1].version)

    def _seen(self, change: Change, item: dict[str, Any] | None) -> dict[str, Any] | None:
        place = self._call.namespace
        if item is None or change.kind != self._call.kind:
            return None
        if place and item["metadata"].get("namespace") != place:
            return None
        return item if self.selected(item) else None

    def bookmark(self, version: int, annotations: Mapping[str, str] | None = None) -> bytes:
        """Say up to which version everything has been told."""
        meta: dict[str, Any] = {"resourceVersion": str(version), "creationTimestamp": None}
        meta |= {"annotations": dict(annotations)} if annotations else {}
        kind = self._call.kind
        return _line(
            "BOOKMARK", {"kind": kind.name, "apiVersion": kind.api_version, "metadata": meta}
        )


def _number(query: Mapping[str, str], key: str) -> int:
    text = query.get(key) or "0"
    if not text.isdecimal():
        raise bad_request(f"{key}: Invalid value: {text}")
    return int(text)


def _line(kind: str, item: Mapping[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"
