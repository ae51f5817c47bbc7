"""The variables of a container as the kubelet builds them, from what the API server tells.

First come ``envFrom`` sources in their order, then ``env`` entries, each of which may name earlier
ones. Asks for a ConfigMap or Secret only if a variable that is looked for may be in it. Does not
know the variables of services (``SHOP_SERVICE_HOST``): a reference to one stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from erlconnect_backends.kubernetes_cluster.data_objects import NotToldError
from erlconnect_backends.kubernetes_cluster.downward import field_value, resource_value
from erlconnect_backends.kubernetes_cluster.expansion import parts
from erlconnect_backends.kubernetes_cluster.questions import CONFIG_MAP, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from erlconnect_backends.kubernetes_cluster.data_objects import DataObjects
    from erlconnect_backends.kubernetes_cluster.pods import Pod
    from erlconnect_backends.kubernetes_cluster.questions import Resource


class ContainerEnvironment:
    """Looks up variables of one container. Raises what ``DataObjects`` raises."""

    def __init__(self, pod: Pod, container: Mapping[str, Any], data: DataObjects) -> None:
        self._pod = pod
        self._container = container
        self._data = data
        self._entries: Sequence[Mapping[str, Any]] = container.get("env") or ()
        self._known: dict[int, str | None] = {}

    async def value(self, name: str) -> str | None:
        """Give the variable's value; ``None`` where it is not set.

        Raises ``NotToldError`` where it is set and cannot be known.
        """
        return await self._before(len(self._entries), name)

    async def known(self, names: Iterable[str]) -> dict[str, str]:
        """Give those of the variables that are set and can be known."""
        found = {}
        for name in names:
            try:
                value = await self.value(name)
            except NotToldError:
                continue
            if value is not None:
                found[name] = value
        return found

    async def command_line(self) -> list[str]:
        """Give the words of ``command`` and ``args``; those that cannot be known are left out."""
        words = []
        for field in ("command", "args"):
            for word in self._container.get(field) or ():
                try:
                    words.append(await self._expanded(str(word), len(self._entries)))
                except NotToldError:
                    continue
        return words

    async def _before(self, index: int, name: str) -> str | None:
        """Give the value that ``name`` has before the entry ``index`` is looked at."""
        for number in reversed(range(index)):
            if self._entries[number].get("name") == name:
                value = await self._entry(number)
                if value is not None:
                    return value
        return await self._from_sources(name)

    async def _entry(self, number: int) -> str | None:
        """Give the entry's value; ``None`` where it is optional and its source is not there."""
        if number not in self._known:
            entry = self._entries[number]
            if text := entry.get("value"):
                self._known[number] = await self._expanded(str(text), number)
            else:
                self._known[number] = await self._referred(
                    str(entry["name"]), entry.get("valueFrom") or {}
                )
        return self._known[number]

    async def _expanded(self, text: str, index: int) -> str:
        pieces = []
        for is_name, piece in parts(text):
            value = await self._before(index, piece) if is_name else piece
            pieces.append(f"$({piece})" if value is None else value)
        return "".join(pieces)

    async def _referred(self, variable: str, source: Mapping[str, Any]) -> str | None:
        if reference := source.get("secretKeyRef"):
            return await self._key(variable, SECRET, reference)
        if reference := source.get("configMapKeyRef"):
            return await self._key(variable, CONFIG_MAP, reference)
        if not source:
            return ""
        if reference := source.get("fieldRef"):
            place = str(reference.get("fieldPath"))
            value = field_value(self._pod, place)
        elif reference := source.get("resourceFieldRef"):
            place = str(reference.get("resource"))
            value = resource_value(self._pod, self._container, reference)
        else:
            place, value = next(iter(source)), None
        if value is None:
            raise NotToldError(f"{variable} is taken from {place}, which is not known here")
        return value

    async def _key(
        self, variable: str, resource: Resource, reference: Mapping[str, Any]
    ) -> str | None:
        name, key = str(reference.get("name") or ""), str(reference.get("key"))
        content = await self._data.content(resource, name)
        if content is not None and key in content:
            return content[key]
        if reference.get("optional"):
            return None
        what = f"{variable} is taken from the key {key} of the {resource.word} {name}"
        if content is None:
            raise NotToldError(f"{what}, which does not exist")
        raise NotToldError(f"{what}, which has only {', '.join(sorted(content)) or 'no keys'}")

    async def _from_sources(self, name: str) -> str | None:
        for source in reversed(self._container.get("envFrom") or ()):
            prefix = str(source.get("prefix") or "")
            if not name.startswith(prefix):
                continue
            for field, resource in (("secretRef", SECRET), ("configMapRef", CONFIG_MAP)):
                if reference := source.get(field):
                    content = await self._source(name, resource, reference)
                    if name.removeprefix(prefix) in content:
                        return content[name.removeprefix(prefix)]
        return None

    async def _source(
        self, variable: str, resource: Resource, reference: Mapping[str, Any]
    ) -> Mapping[str, str]:
        name = str(reference.get("name") or "")
        content = await self._data.content(resource, name)
        if content is None and not reference.get("optional"):
            raise NotToldError(
                f"{variable} may be in the {resource.word} {name}, which does not exist"
            )
        return content or {}
