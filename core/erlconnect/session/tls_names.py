"""The names in a certificate, compared as OTP compares them.

OTP writes addresses as ``DNS:`` names, because it knows nodes by the text after the ``@``; other
makers of certificates write ``IP Address:``. Both count. See RFC 6125 for the rest.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import ssl

_KINDS = ("DNS", "IP Address")


def names_of(session: ssl.SSLObject) -> list[str]:
    """Give the names in the other side's certificate; its common name where it has no others."""
    certificate = session.getpeercert() or {}
    pairs = cast("tuple[tuple[str, str], ...]", certificate.get("subjectAltName", ()))
    names = [value for kind, value in pairs if kind in _KINDS]
    if names:
        return names
    subject = cast("tuple[tuple[tuple[str, str], ...], ...]", certificate.get("subject", ()))
    return [value for part in subject for kind, value in part if kind == "commonName"]


def fits(wanted: str, name: str) -> bool:
    """Say whether a certificate's name stands for ``wanted``; ``*`` stands for one label."""
    address = _address(wanted)
    if address:
        return _address(name) == address
    wanted, name = (one.casefold().rstrip(".") for one in (wanted, name))
    label, _, rest = name.partition(".")
    if label == "*":
        return "." in rest and wanted.partition(".")[2] == rest
    return bool(wanted) and wanted == name


def _address(name: str) -> str:
    """Give an address as it is usually written; empty where it is a name."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return ""
