"""What a user entry of a kubeconfig says, in kubectl's order, down to files and headers.

A token's file counts more than a token, both more than a password, and these more than a provider
or a credential plugin. Refuses to ask an issuer (``oidc``).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import remember
from erlconnect_backends.kubernetes_cluster import access_failures as failures

if TYPE_CHECKING:
    from erlconnect_backends.kubernetes_cluster.kubeconfig import Entry

_REPLACED: Final = {
    "gcp": "the credential plugin gke-gcloud-auth-plugin",
    "azure": "the credential plugin kubelogin",
    "openstack": "the credential plugin client-keystone-auth",
}
"""Providers that kubectl had once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """Credentials that a provider or plugin gave; ``expiry`` is a POSIX time."""

    token: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    expiry: float | None = None


def check_user(context: str, user: Entry) -> None:
    """Refuse what kubectl refuses. Raises ``ConfigurationError`` and ``RefusedError``."""
    token, name = user.text("token"), user.text("username")
    if (token and (name or user.text("password"))) or (user.text("tokenFile") and name):
        raise failures.wrong_entry(user.place, "has a token and a username; only one may be there")
    more = [key for key in ("as-groups", "as-uid", "as-user-extra") if user.values.get(key)]
    if more and not user.text("as"):
        raise failures.wrong_entry(user.place, f"has {more[0]} without `as`")
    provider = user.values.get("auth-provider")
    if provider is None:
        return
    if user.values.get("exec") is not None:
        raise failures.wrong_entry(user.place, "has auth-provider and exec; only one may be there")
    name = str(provider.get("name", ""))
    if name != "oidc":
        raise failures.unknown_provider(context, name, _REPLACED.get(name, ""))


def own_authorization(user: Entry) -> str:
    """Return the header's value that the entry itself gives, empty where there is none.

    Raises ``ConfigurationError`` where the token's file cannot be read and nothing stands for it.
    """
    if token := _file_token(user) or user.text("token"):
        return f"Bearer {token}"
    if name := user.text("username"):
        password = user.text("password")
        remember(password)
        return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()
    return ""


def content_file(entry: Entry, key: str, folder: str) -> str | None:
    """Return the file at ``key``, or one in ``folder`` with what ``KEY-data`` holds.

    Raises ``ConfigurationError`` that names the key whose content is not base64, or whose file is
    missing, and where both are there.
    """
    data = entry.text(f"{key}-data")
    named = entry.text(key)
    if data and named:
        raise failures.wrong_entry(entry.place, f"has {key} and {key}-data; only one may be there")
    if data:
        try:
            content = base64.b64decode("".join(data.split()), validate=True)
        except (binascii.Error, ValueError):
            raise failures.wrong_entry(f"{entry.place}.{key}-data", "is not base64") from None
        return written(content, folder, key)
    if named:
        try:
            Path(named).open("rb").close()
        except OSError as error:
            raise failures.missing_file(f"{entry.place}.{key}", named, error) from None
    return named or None


def written(content: bytes, folder: str, name: str) -> str:
    """Write ``content`` into ``folder``, from which it goes when TLS has read it."""
    path = Path(folder) / name
    path.write_bytes(content)
    return str(path)


def _file_token(user: Entry) -> str:
    path = user.text("tokenFile")
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        if user.text("token"):
            return ""  # as kubectl: the token stands for a file that cannot be read
        raise failures.missing_file(f"{user.place}.tokenFile", path, error) from None


def provider_config(user: Entry) -> dict[str, Any]:
    """Return the settings of ``auth-provider``, without those that are null."""
    config = user.values["auth-provider"].get("config") or {}
    return {str(key): str(value) for key, value in config.items() if value is not None}
