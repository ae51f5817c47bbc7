"""ConfigMaps and Secrets of one namespace, each asked for once."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING, Any

from erlconnect.api import RefusedError
from erlconnect_backends.kubernetes_cluster.questions import SECRET, one

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from erlconnect_backends.kubernetes_cluster.questions import Resource
    from erlconnect_backends.kubernetes_cluster.rest import Rest


class NotToldError(Exception):
    """A variable is set, and its value cannot be found out from here; the text says why."""


class DataObjects:
    """What ``Rest.find`` gives, decoded; bytes that are no text are kept by ``surrogateescape``.

    With ``refused``, an object that may not be read is told to it, and its values are not known.
    """

    def __init__(
        self,
        rest: Rest,
        namespace: str,
        *,
        refused: Callable[[RefusedError], None] | None = None,
    ) -> None:
        self._rest = rest
        self._namespace = namespace
        self._refused = refused
        self._contents: dict[tuple[Resource, str], Mapping[str, str] | NotToldError | None] = {}
        self._lock = asyncio.Lock()

    async def content(self, resource: Resource, name: str) -> Mapping[str, str] | None:
        """Give the object's data; ``None`` where there is no such object.

        Raises as ``Rest``, and ``NotToldError`` instead of ``RefusedError`` where that is told.
        """
        async with self._lock:
            key = (resource, name)
            if key not in self._contents:
                self._contents[key] = await self._asked(resource, name)
            content = self._contents[key]
        if isinstance(content, NotToldError):
            raise content
        return content

    async def _asked(
        self, resource: Resource, name: str
    ) -> Mapping[str, str] | NotToldError | None:
        try:
            found = await self._rest.find(one(resource, name, namespace=self._namespace))
        except RefusedError as error:
            if not self._refused:
                raise
            self._refused(error)
            return NotToldError(f"the {resource.word} {name} may not be read")
        return None if found is None else _decoded(resource, found)


def _decoded(resource: Resource, item: Mapping[str, Any]) -> dict[str, str]:
    data = item.get("data") or {}
    if resource is not SECRET:
        return {str(key): str(value) for key, value in data.items()}
    return {str(key): _text(str(value)) for key, value in data.items()}


def _text(encoded: str) -> str:
    try:
        return base64.b64decode(encoded).decode(errors="surrogateescape")
    except binascii.Error:
        return ""
