"""Which ConfigMaps and Secrets a container's variables may come from; asks for none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from erlconnect_backends.kubernetes_cluster.expansion import parts
from erlconnect_backends.kubernetes_cluster.questions import CONFIG_MAP, SECRET

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from erlconnect_backends.kubernetes_cluster.questions import Resource

_WHOLE: Final = {"secretRef": SECRET, "configMapRef": CONFIG_MAP}
_KEYS: Final = {"secretKeyRef": SECRET, "configMapKeyRef": CONFIG_MAP}


def sources_of(container: Mapping[str, Any], names: Collection[str]) -> set[tuple[Resource, str]]:
    """Give all objects that ``names`` may come from: whole ones, and those of single keys."""
    entries = container.get("env") or ()
    wanted = set(names)
    for entry in reversed(entries):
        if entry.get("name") in wanted:
            wanted |= {piece for is_name, piece in parts(str(entry.get("value") or "")) if is_name}
    keyed = [entry.get("valueFrom") or {} for entry in entries if entry.get("name") in wanted]
    whole = container.get("envFrom") or ()
    return {*_named(whole, _WHOLE), *_named(keyed, _KEYS)}


def _named(
    sources: Iterable[Mapping[str, Any]], fields: Mapping[str, Resource]
) -> Iterator[tuple[Resource, str]]:
    for source in sources:
        for field, resource in fields.items():
            if name := (source.get(field) or {}).get("name"):
                yield resource, str(name)
