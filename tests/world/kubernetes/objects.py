"""The objects of the cluster and the history of their changes, shared by tests and the server.

Any thread may use it. Knows nothing of HTTP, and controls nothing: no Deployment makes a pod here.
"""

from __future__ import annotations

import copy
import threading
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from world.kubernetes.kinds import Kind, kind_called, kind_of
from world.kubernetes.statuses import not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_KEPT_CHANGES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change; ``before`` is None for a new object, ``after`` for a deleted one."""

    version: int
    kind: Kind
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class Objects:
    """Plain dicts, as ``kubectl get -o json`` prints them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._items: dict[tuple[Kind, str, str], dict[str, Any]] = {}
        self._changes: deque[Change] = deque(maxlen=_KEPT_CHANGES)
        self._version = 1000
        self._forgotten = 0
        self._observers: list[Callable[[], object]] = []

    @property
    def version(self) -> int:
        """The resource version of the latest change."""
        return self._version

    def put(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Add the object, or replace the one of its kind, namespace and name; return it whole.

        Its namespace, ``default`` if it names none, comes into being with it.
        """
        new = copy.deepcopy(dict(item))
        kind = kind_of(new["apiVersion"], new["kind"])
        meta = new["metadata"] = dict(new["metadata"])
        if kind.namespaced:
            meta.setdefault("namespace", "default")
            self._ensure_namespace(meta["namespace"])
        with self._lock:
            before = self._items.get(_key(kind, meta))
            old = before["metadata"] if before else {}
            meta.setdefault("uid", old.get("uid") or str(uuid.uuid4()))
            meta.setdefault("creationTimestamp", old.get("creationTimestamp") or timestamp())
            self._record(kind, before, new)
            return copy.deepcopy(new)

    def remove(self, plural: str, namespace: str, name: str) -> dict[str, Any]:
        """Delete an object and give what it was. Raises RefusedError where there is none."""
        kind = kind_called(plural)
        with self._lock:
            before = self._items.get((kind, namespace, name))
            if before is None:
                raise not_found(kind, name)
            self._record(kind, before, None)
            return copy.deepcopy(before)

    def get(self, plural: str, namespace: str, name: str) -> dict[str, Any]:
        """One object. Raises RefusedError where there is none."""
        kind = kind_called(plural)
        with self._lock:
            if (kind, namespace, name) not in self._items:
                raise not_found(kind, name)
            return copy.deepcopy(self._items[kind, namespace, name])

    def change(
        self, plural: str, namespace: str, name: str, edit: Callable[[dict[str, Any]], object]
    ) -> dict[str, Any]:
        """Let ``edit`` change one object in place."""
        with self._lock:
            item = self.get(plural, namespace, name)
            edit(item)
            return self.put(item)

    def every(self, plural: str, namespace: str = "") -> tuple[list[dict[str, Any]], int]:
        """All of a kind in a namespace, or everywhere, by name; and the version they are of."""
        kind = kind_called(plural)
        with self._lock:
            keys = [key for key in self._items if key[0] == kind and namespace in ("", key[1])]
            keys.sort(key=lambda key: key[1:])
            return [copy.deepcopy(self._items[key]) for key in keys], self._version

    def changes_since(self, version: int) -> list[Change] | None:
        """Later changes; None if some of them are forgotten."""
        with self._lock:
            if version < self._forgotten:
                return None
            return [change for change in self._changes if change.version > version]

    def forget_history(self) -> None:
        """Be a server that has compacted: watches from earlier versions are answered with 410."""
        with self._lock:
            self._version += 1
            self._forgotten = self._version
            self._changes.clear()
        self._tell()

    def observe(self, observer: Callable[[], object]) -> None:
        """Have ``observer`` called after each change, in the thread that made it."""
        self._observers.append(observer)

    def stop_observing(self, observer: Callable[[], object]) -> None:
        self._observers.remove(observer)

    def _ensure_namespace(self, name: str) -> None:
        with self._lock:
            if (kind_called("namespaces"), "", name) not in self._items:
                meta = {"name": name, "labels": {"kubernetes.io/metadata.name": name}}
                self.put({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})

    def _record(
        self, kind: Kind, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> None:
        self._version += 1
        if len(self._changes) == _KEPT_CHANGES:
            self._forgotten = self._changes[0].version
        if after is None:
            assert before is not None
            self._items.pop(_key(kind, before["metadata"]))
        else:
            after["metadata"]["resourceVersion"] = str(self._version)
            self._items[_key(kind, after["metadata"])] = after
        self._changes.append(Change(version=self._version, kind=kind, before=before, after=after))
        self._tell()

    def _tell(self) -> None:
        for observer in self._observers:
            observer()


def timestamp() -> str:
    """Now, as the API writes times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _key(kind: Kind, meta: Mapping[str, Any]) -> tuple[Kind, str, str]:
    return kind, meta["namespace"] if kind.namespaced else "", meta["name"]
