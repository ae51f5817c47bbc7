"""Questions and answers of DNS as plain values: names are text without the dot at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["SRV", "A", "AAAA"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One name and the kind of record that is wanted."""

    name: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """One SRV record (RFC 2782); an empty ``target`` says that the service is not available."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What ``server`` answered; without ``services`` and ``addresses`` it has no such record.

    ``glue`` holds the addresses that came along for other names, which are in small letters.
    """

    server: str
    services: tuple[ServiceRecord, ...] = ()
    addresses: tuple[str, ...] = ()
    glue: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
