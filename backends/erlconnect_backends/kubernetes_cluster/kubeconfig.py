"""Kubeconfig files, read and merged as kubectl does; an entry that is wrong is named by its place.

The first file that has a name, or a current context, decides. A key that is null counts as absent.
Refuses to judge what a context needs (``client``) and never quotes a value.
Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from erlconnect_backends.kubernetes_cluster import access_failures as failures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_KINDS: Final = ("cluster", "user", "context")
_PATHS: Final = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
    "context": (),
}
"""Which texts are paths: they begin at the folder of their file."""
_FLAGS: Final = ("insecure-skip-tls-verify", "disable-compression")
_LISTS: Final = ("as-groups", "extensions")
_TABLES: Final = ("auth-provider", "exec", "as-user-extra")
_YAML_TYPES: Final = {int: "a number", float: "a number", bool: "true or false"}


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # comes without types
    """Reads YAML as Kubernetes does, where a date and a time are texts."""


_NUMBERS: Final = re.compile(r"[-+]?(0x[0-9a-fA-F_]+|0o?[0-7_]+|[1-9][0-9_]*|0)$")
_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, _NUMBERS if tag.endswith(":int") else pattern)
        for tag, pattern in resolvers
        if not tag.endswith(":timestamp")
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One cluster, user or context; ``values`` has no key that is null. ``place`` is for people."""

    place: str
    values: Mapping[str, Any] = field(repr=False)

    def text(self, key: str) -> str:
        """Return the text at ``key``, empty where it is absent."""
        return str(self.values.get(key, ""))


@dataclass(slots=True, kw_only=True)
class MergedKubeconfig:
    """What all files together say."""

    current_context: str = ""
    entries: dict[str, dict[str, Entry]] = field(
        default_factory=lambda: {kind: {} for kind in _KINDS}
    )


def merged_kubeconfig(paths: str) -> MergedKubeconfig:
    """Read the files of the list ``paths``; those that do not exist are passed over.

    Raises ``ConfigurationError`` that names the file and the key that is wrong.
    """
    merged = MergedKubeconfig()
    for name in filter(None, paths.split(os.pathsep)):
        path = Path(name).expanduser()
        if not path.exists():
            continue
        content = _content(path)
        current = _checked(content, "current-context", str, f"{path}: ")
        merged.current_context = merged.current_context or current or ""
        for kind in _KINDS:
            for entry_name, entry in _entries(path, content, kind).items():
                merged.entries[kind].setdefault(entry_name, entry)
    return merged


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe one
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise failures.unreadable(str(path), error) from None
    except (TypeError, AttributeError, LookupError, RecursionError):
        raise failures.unreadable(str(path), ValueError()) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise failures.unreadable(str(path), ValueError())
    return content


def _entries(path: Path, content: Mapping[str, Any], kind: str) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    listed = _checked(content, f"{kind}s", list, f"{path}: ") or []
    for number, item in enumerate(listed):
        place = f"{path}: {kind}s[{number}]"
        if not isinstance(item, dict):
            raise failures.wrong_entry(place, "is no mapping")
        name = _checked(item, "name", str, f"{place}.") or ""
        if name in found:
            raise failures.wrong_entry(place, f"has the name {name!r} a second time")
        values = _checked(item, kind, dict, f"{place}.") or {}
        found[name] = Entry(
            place=f"{place} ({name}).{kind}",
            values=dict(_values(values, kind, path, f"{place} ({name}).{kind}.")),
        )
    return found


def _values(
    values: Mapping[str, Any], kind: str, path: Path, place: str
) -> Iterator[tuple[str, Any]]:
    for key in values:
        value = _checked(values, key, _type_of(key), place)
        if value is None:
            continue
        if key in _PATHS[kind] and value:
            value = str(path.absolute().parent / value)
        elif key in _TABLES:
            value = {name: inner for name, inner in value.items() if inner is not None}
            if key == "exec":
                value = _from_folder(value, path, place)
        yield str(key), value


def _type_of(key: object) -> type:
    if key in _FLAGS:
        return bool
    if key in _LISTS:
        return list
    return dict if key in _TABLES else str


def _from_folder(plugin: dict[str, Any], path: Path, place: str) -> dict[str, Any]:
    command = _checked(plugin, "command", str, f"{place}exec.") or ""
    if os.sep in command:
        # A bare name is looked for on PATH, anything else begins at the file's folder.
        return {**plugin, "command": str(path.absolute().parent / command)}
    return plugin


def _checked(values: Mapping[str, Any], key: str, wanted: type, place: str) -> Any:
    value = values.get(key)
    if value is None or isinstance(value, wanted):
        return value
    wrong = _YAML_TYPES.get(type(value), "no " + _WANTED[wanted])
    hint = ": write it in quotes" if wanted is str and type(value) in _YAML_TYPES else ""
    raise failures.wrong_entry(f"{place}{key}", f"is {wrong}{hint}")


_WANTED: Final = {str: "text", bool: "true or false", list: "list", dict: "mapping"}
