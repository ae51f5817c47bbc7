"""The variables of a container as the kubelet builds them, from objects of the API server.

``pods`` reads the node's name and ports from them, ``cookies`` the cookie. First come ``envFrom``
sources in their order, then ``env`` entries, each of which may refer to earlier ones by ``$(VAR)``.
A ConfigMap or Secret is asked for only if a variable that is looked for may be in it, and once.
Variables of services (``SHOP_SERVICE_HOST``) are not known: a reference to one stays as it is.

``fieldRef`` and ``resourceFieldRef``: https://kubernetes.io/docs/concepts/workloads/pods/downward-api/
``$(VAR)``:
https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import RefusedError
from erlconnect_backends.kubernetes.requests import CONFIG_MAP, SECRET, one

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from erlconnect_backends.kubernetes.api_client import ApiClient
    from erlconnect_backends.kubernetes.pods import Pod
    from erlconnect_backends.kubernetes.requests import Resource

_MAP_ENTRY: Final = re.compile(r"metadata\.(?P<map>labels|annotations)\['(?P<key>[^']+)'\]")
_QUANTITY: Final = re.compile(r"(?P<number>[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(?P<suffix>[A-Za-z]*)")
_DECIMAL: Final = {"n": -3, "u": -2, "m": -1, "": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_BINARY: Final = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_FIELDS: Final = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
    "metadata.uid": ("metadata", "uid"),
    "spec.nodeName": ("spec", "nodeName"),
    "spec.serviceAccountName": ("spec", "serviceAccountName"),
    "status.hostIP": ("status", "hostIP"),
    "status.podIP": ("status", "podIP"),
}
_ADDRESSES: Final = {"status.podIPs": "podIPs", "status.hostIPs": "hostIPs"}
_WHOLE_SOURCES: Final = {"secretRef": SECRET, "configMapRef": CONFIG_MAP}
_KEY_SOURCES: Final = {"secretKeyRef": SECRET, "configMapKeyRef": CONFIG_MAP}
# In the order in which they are looked for.
COOKIE_NAMES: Final = (
    "RELEASE_COOKIE",
    "ERLANG_COOKIE",
    "K8S_NODE_COOKIE",
    "ELIXIR_REMSH_COOKIE",
    "REMSH_COOKIE",
    "RABBITMQ_ERLANG_COOKIE",
    "RABBITMQ_ERL_COOKIE",
    "EMQX_NODE__COOKIE",
    "EMQX_NODE_COOKIE",
    "DOCKER_VERNEMQ_DISTRIBUTED_COOKIE",
    "COUCHDB_ERLANG_COOKIE",
)
# The one whose value a release passes on as a flag, so that a newline at its end belongs to it. All
# others go through a script of the image, which mostly writes a file.
LITERAL_NAME: Final = "RELEASE_COOKIE"


class ContainerEnvironment:
    """Looks up variables of one container. Raises what ``DataObjects`` raises."""

    def __init__(self, pod: Pod, container: Mapping[str, Any], data: DataObjects) -> None:
        self._pod = pod
        self._container = container
        self._data = data
        self._entries: Sequence[Mapping[str, Any]] = container.get("env") or ()
        self._known: dict[int, str | None] = {}

    async def value(self, name: str) -> str | None:
        """Return the variable's value; ``None`` where it is not set.

        Raises ``UnknownValueError`` where it is set and cannot be known.
        """
        return await self._value_before(len(self._entries), name)

    async def known(self, names: Iterable[str]) -> dict[str, str]:
        """Return those of the variables that are set and can be known."""
        found = {}
        for name in names:
            try:
                value = await self.value(name)
            except UnknownValueError:
                continue
            if value is not None:
                found[name] = value
        return found

    async def command_line(self) -> list[str]:
        """Return the words of ``command`` and ``args`` without those that cannot be known."""
        words = []
        for field in ("command", "args"):
            for word in self._container.get(field) or ():
                try:
                    words.append(await self._expanded(str(word), len(self._entries)))
                except UnknownValueError:
                    continue
        return words

    async def _value_before(self, index: int, name: str) -> str | None:
        """Return the value that ``name`` has before the entry ``index``."""
        # The last entry of a name counts, and references see earlier entries only.
        for number in reversed(range(index)):
            if self._entries[number].get("name") == name:
                value = await self._entry(number)
                if value is not None:
                    return value
        return await self._from_sources(name)

    async def _entry(self, number: int) -> str | None:
        """Return the entry's value; ``None`` where it is optional and its source is not there."""
        if number not in self._known:
            entry = self._entries[number]
            # ``value`` and ``valueFrom`` exclude each other; without both the variable is empty.
            if text := entry.get("value"):
                self._known[number] = await self._expanded(str(text), number)
            else:
                self._known[number] = await self._referred(
                    str(entry["name"]), entry.get("valueFrom") or {}
                )
        return self._known[number]

    async def _expanded(self, text: str, index: int) -> str:
        pieces = []
        for is_name, piece in split_references(text):
            value = await self._value_before(index, piece) if is_name else piece
            # A reference to a variable that is not set stays as it is written.
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
            origin = str(reference.get("fieldPath"))
            value = field_value(self._pod, origin)
        elif reference := source.get("resourceFieldRef"):
            origin = str(reference.get("resource"))
            value = resource_value(self._pod, self._container, reference)
        else:
            origin, value = next(iter(source)), None
        if value is None:
            raise UnknownValueError(f"{variable} is taken from {origin}, which is not known here")
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
            raise UnknownValueError(f"{what}, which does not exist")
        raise UnknownValueError(f"{what}, which has only {', '.join(sorted(content)) or 'no keys'}")

    async def _from_sources(self, name: str) -> str | None:
        # Where two sources have the same key, the kubelet takes the later one.
        for source in reversed(self._container.get("envFrom") or ()):
            prefix = str(source.get("prefix") or "")
            # ``prefix`` stands before every key of the source.
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
            raise UnknownValueError(
                f"{variable} may be in the {resource.word} {name}, which does not exist"
            )
        return content or {}


class DataObjects:
    """ConfigMaps and Secrets of one namespace as texts, each asked for once.

    Bytes that are not UTF-8 are kept by ``surrogateescape``. ``on_refusal`` is called where an
    object may not be read; then its values count as unknown. Without it, the error is raised.
    """

    def __init__(
        self,
        rest: ApiClient,
        namespace: str,
        *,
        on_refusal: Callable[[RefusedError], None] | None = None,
    ) -> None:
        self._rest = rest
        self._namespace = namespace
        self._on_refusal = on_refusal
        self._contents: dict[
            tuple[Resource, str], Mapping[str, str] | UnknownValueError | None
        ] = {}
        self._lock = asyncio.Lock()

    async def content(self, resource: Resource, name: str) -> Mapping[str, str] | None:
        """Return the object's data; ``None`` where there is no such object.

        Raises as ``ApiClient``; with ``on_refusal``, ``UnknownValueError`` in place of
        ``RefusedError``.
        """
        # Two variables of one object at the same time ask for it once.
        async with self._lock:
            key = (resource, name)
            if key not in self._contents:
                self._contents[key] = await self._fetched(resource, name)
            content = self._contents[key]
        if isinstance(content, UnknownValueError):
            raise content
        return content

    async def _fetched(
        self, resource: Resource, name: str
    ) -> Mapping[str, str] | UnknownValueError | None:
        try:
            found = await self._rest.find(one(resource, name, namespace=self._namespace))
        except RefusedError as error:
            if not self._on_refusal:
                raise
            self._on_refusal(error)
            return UnknownValueError(f"the {resource.word} {name} may not be read")
        return None if found is None else _decoded(resource, found)


class UnknownValueError(Exception):
    """A variable is set, and its value cannot be known here; the text says why."""


def env_sources(container: Mapping[str, Any], names: Collection[str]) -> set[tuple[Resource, str]]:
    """Return the objects that the variables ``names`` may come from. Asks for none of them."""
    entries = container.get("env") or ()
    wanted = set(names)
    # From the last on: an entry can refer to earlier ones only.
    for entry in reversed(entries):
        if entry.get("name") in wanted:
            wanted |= {
                piece
                for is_name, piece in split_references(str(entry.get("value") or ""))
                if is_name
            }
    keyed = [entry.get("valueFrom") or {} for entry in entries if entry.get("name") in wanted]
    whole = container.get("envFrom") or ()
    return {*_named(whole, _WHOLE_SOURCES), *_named(keyed, _KEY_SOURCES)}


def _named(
    sources: Iterable[Mapping[str, Any]], fields: Mapping[str, Resource]
) -> Iterator[tuple[Resource, str]]:
    for source in sources:
        for field, resource in fields.items():
            if name := (source.get(field) or {}).get("name"):
                yield resource, str(name)


def _decoded(resource: Resource, item: Mapping[str, Any]) -> dict[str, str]:
    data = item.get("data") or {}
    if resource is not SECRET:
        return {str(key): str(value) for key, value in data.items()}
    return {str(key): _text(str(value)) for key, value in data.items()}


def _text(encoded: str) -> str:
    try:
        # The values of a Secret's ``data`` are base64, those of a ConfigMap are text.
        return base64.b64decode(encoded).decode(errors="surrogateescape")
    except binascii.Error:
        return ""


def split_references(text: str) -> Iterator[tuple[bool, str]]:
    """Yield ``text`` as plain pieces (``False``) and names of variables (``True``).

    ``$$`` is a dollar. What only begins like a reference, and a ``$`` before anything else, stay.
    """
    while text:
        plain, dollar, rest = text.partition("$")
        if plain:
            yield False, plain
        name, closed, behind = rest[1:].partition(")")
        if rest.startswith("(") and closed:
            yield True, name
            text = behind
        elif rest.startswith("$"):
            yield False, "$"
            text = rest[1:]
        else:
            yield False, dollar + rest[:1]
            text = rest[1:]


def field_value(pod: Pod, path: str) -> str | None:
    """Return the field's value as the kubelet writes it; ``None`` where it is not known here."""
    if entry := _MAP_ENTRY.fullmatch(path):
        return str((pod.item["metadata"].get(entry["map"]) or {}).get(entry["key"], ""))
    if path in _ADDRESSES:
        addresses = (pod.item.get("status") or {}).get(_ADDRESSES[path])
        return ",".join(str(one["ip"]) for one in addresses) if addresses else None
    # The API server refuses other paths, unless it is newer than this list.
    if path not in _FIELDS:
        return None
    part, key = _FIELDS[path]
    value = (pod.item.get(part) or {}).get(key)
    return None if value is None else str(value)


def resource_value(
    pod: Pod, container: Mapping[str, Any], reference: Mapping[str, Any]
) -> str | None:
    """Return a request or limit in units of the divisor; ``None`` where only the kubelet knows."""
    named = reference.get("containerName") or container["name"]
    owner = next((one for one in pod.containers if one["name"] == named), None)
    kind, _, resource = str(reference.get("resource", "")).partition(".")
    amounts = ((owner or {}).get("resources") or {}).get(kind) or {}
    if resource not in amounts:
        # Without a limit the kubelet takes what the machine can give, which is not in the object.
        return "0" if owner and kind == "requests" else None
    # Exact fractions: a float could round up to one unit too many.
    amount = _quantity(str(amounts[resource]))
    # The kubelet rounds up to whole units of the divisor.
    divisor = _quantity(str(reference.get("divisor") or "1")) or Fraction(1)
    return None if amount is None else str(math.ceil(amount / divisor))


def _quantity(text: str) -> Fraction | None:
    match = _QUANTITY.fullmatch(text)
    if not match:
        return None
    number, suffix = Fraction(match["number"]), match["suffix"]
    if suffix in _BINARY:
        return number * Fraction(1024) ** _BINARY[suffix]
    return number * Fraction(1000) ** _DECIMAL[suffix] if suffix in _DECIMAL else None
