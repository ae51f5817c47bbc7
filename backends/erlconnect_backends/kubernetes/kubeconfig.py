"""Kubeconfig files, read and merged as kubectl does, and what a user entry of one says.

``merged_kubeconfig`` reads all files of a list. The first file that has a name, or a current
context, decides; a key that is null counts as absent. What is wrong is named by its file and key,
and no value is ever quoted. The functions after it read one user entry in kubectl's order: a
token's file counts more than a token, both more than a password, and these more than a provider
(``oidc``) or a plugin (``credential_plugin``). ``cluster_access`` makes a connection of it all.

Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from erlconnect.api import remember
from erlconnect_backends.kubernetes import errors as failures

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_KINDS: Final = ("cluster", "user", "context")
# Which texts are paths: those are relative to the folder of the file that has them.
_PATHS: Final = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
    "context": (),
}
_FLAGS: Final = ("insecure-skip-tls-verify", "disable-compression")
_LISTS: Final = ("as-groups", "extensions")
_TABLES: Final = ("auth-provider", "exec", "as-user-extra")
_YAML_TYPES: Final = {int: "a number", float: "a number", bool: "true or false"}
# PyYAML reads YAML 1.1, where 1:30 is a number of sexagesimal digits; Go's parser does not.
_NUMBERS: Final = re.compile(r"[-+]?(0x[0-9a-fA-F_]+|0o?[0-7_]+|[1-9][0-9_]*|0)$")
_WANTED: Final = {str: "text", bool: "true or false", list: "list", dict: "mapping"}
# Providers that kubectl had once, and what replaces each.
_REPLACED: Final = {
    "gcp": "the credential plugin gke-gcloud-auth-plugin",
    "azure": "the credential plugin kubelogin",
    "openstack": "the credential plugin client-keystone-auth",
}


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # comes without types
    """Reads YAML as Kubernetes does: what looks like a date is a text."""


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
    """One cluster, user or context; ``values`` has no key that is null.

    ``location`` is its file and key, for messages.
    """

    location: str
    values: Mapping[str, Any] = field(repr=False)

    def text(self, key: str) -> str:
        """Return the text at ``key``, empty where it is absent."""
        return str(self.values.get(key, ""))


@dataclass(slots=True, kw_only=True)
class MergedKubeconfig:
    """The entries of all files by kind and name."""

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
        # As kubectl merges: the first file that has a context or an entry counts.
        merged.current_context = merged.current_context or current or ""
        for kind in _KINDS:
            for entry_name, entry in _entries(path, content, kind).items():
                merged.entries[kind].setdefault(entry_name, entry)
    return merged


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCredentials:
    """Credentials of a provider or plugin; ``expiry`` is a POSIX time."""

    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    expiry: float | None = None


def check_user(context: str, user: Entry) -> None:
    """Raise ``ConfigurationError`` or ``RefusedError`` for what kubectl refuses, too."""
    token, name = user.text("token"), user.text("username")
    if (token and (name or user.text("password"))) or (user.text("tokenFile") and name):
        raise failures.wrong_entry(
            user.location, "has a token and a username; only one may be there"
        )
    more = [key for key in ("as-groups", "as-uid", "as-user-extra") if user.values.get(key)]
    if more and not user.text("as"):
        raise failures.wrong_entry(user.location, f"has {more[0]} without `as`")
    provider = user.values.get("auth-provider")
    if provider is None:
        return
    if user.values.get("exec") is not None:
        raise failures.wrong_entry(
            user.location, "has auth-provider and exec; only one may be there"
        )
    name = str(provider.get("name", ""))
    if name != "oidc":
        raise failures.unknown_provider(context, name, _REPLACED.get(name, ""))


def own_authorization(user: Entry) -> str:
    """Return the value of ``Authorization`` by the entry's own token or password, else nothing.

    Raises ``ConfigurationError`` where the token's file cannot be read and there is no token.
    """
    if token := _file_token(user) or user.text("token"):
        return f"Bearer {token}"
    if name := user.text("username"):
        password = user.text("password")
        remember(password)
        return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
    return ""


def _file_token(user: Entry) -> str:
    path = user.text("tokenFile")
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        if user.text("token"):
            return ""  # as kubectl: the token stands for a file that cannot be read
        raise failures.missing_file(f"{user.location}.tokenFile", path, error) from None


def provider_config(user: Entry) -> dict[str, Any]:
    """Return the settings of ``auth-provider``, without those that are null."""
    config = user.values["auth-provider"].get("config") or {}
    return {str(key): str(value) for key, value in config.items() if value is not None}


def content_file(entry: Entry, key: str, folder: str) -> str | None:
    """Return the path at ``key``, or that of a file in ``folder`` with what ``KEY-data`` holds.

    Raises ``ConfigurationError`` where the content is not base64, the file is missing, or both keys
    are there.
    """
    data = entry.text(f"{key}-data")
    named = entry.text(key)
    if data and named:
        raise failures.wrong_entry(
            entry.location, f"has {key} and {key}-data; only one may be there"
        )
    if data:
        try:
            # YAML may fold long base64 over several lines, and ``validate`` refuses white space.
            content = base64.b64decode("".join(data.split()), validate=True)
        except (binascii.Error, ValueError):
            raise failures.wrong_entry(f"{entry.location}.{key}-data", "is not base64") from None
        return written(content, folder, key)
    if named:
        try:
            Path(named).open("rb").close()
        except OSError as error:
            raise failures.missing_file(f"{entry.location}.{key}", named, error) from None
    return named or None


def written(content: bytes, folder: str, name: str) -> str:
    """Write ``content`` into a file of ``folder``, and return its path."""
    path = Path(folder) / name
    path.write_bytes(content)
    return str(path)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe one
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise failures.unreadable(str(path), error) from None
    except (TypeError, AttributeError, LookupError, RecursionError):
        # PyYAML raises these, too, for some broken documents.
        raise failures.unreadable(str(path), ValueError()) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise failures.unreadable(str(path), ValueError())
    return content


def _entries(path: Path, content: Mapping[str, Any], kind: str) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    items = _checked(content, f"{kind}s", list, f"{path}: ") or []
    for number, item in enumerate(items):
        location = f"{path}: {kind}s[{number}]"
        if not isinstance(item, dict):
            raise failures.wrong_entry(location, "is no mapping")
        name = _checked(item, "name", str, f"{location}.") or ""
        if name in found:
            # kubectl refuses a name that one file has twice; across files the first counts.
            raise failures.wrong_entry(location, f"has the name {name!r} a second time")
        values = _checked(item, kind, dict, f"{location}.") or {}
        found[name] = Entry(
            location=f"{location} ({name}).{kind}",
            values=dict(_values(values, kind, path, f"{location} ({name}).{kind}.")),
        )
    return found


def _values(
    values: Mapping[str, Any], kind: str, path: Path, location: str
) -> Iterator[tuple[str, Any]]:
    for key in values:
        value = _checked(values, key, _type_of(key), location)
        if value is None:
            continue
        if key in _PATHS[kind] and value:
            # An absolute path stays as it is: ``/`` drops what stands before one.
            value = str(path.absolute().parent / value)
        elif key in _TABLES:
            value = {name: inner for name, inner in value.items() if inner is not None}
            if key == "exec":
                value = _from_folder(value, path, location)
        yield str(key), value


def _type_of(key: object) -> type:
    if key in _FLAGS:
        return bool
    if key in _LISTS:
        return list
    return dict if key in _TABLES else str


def _from_folder(plugin: dict[str, Any], path: Path, location: str) -> dict[str, Any]:
    command = _checked(plugin, "command", str, f"{location}exec.") or ""
    if os.sep in command:
        # A bare name is looked for on PATH, anything else begins at the file's folder.
        return {**plugin, "command": str(path.absolute().parent / command)}
    return plugin


def _checked(values: Mapping[str, Any], key: str, wanted: type, location: str) -> Any:
    value = values.get(key)
    if value is None or isinstance(value, wanted):
        return value
    wrong = _YAML_TYPES.get(type(value), "no " + _WANTED[wanted])
    hint = ": write it in quotes" if wanted is str and type(value) in _YAML_TYPES else ""
    raise failures.wrong_entry(f"{location}{key}", f"is {wrong}{hint}")
