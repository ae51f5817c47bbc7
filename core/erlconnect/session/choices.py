"""What the user asked for, once flags, variables and profiles have been read."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from erlconnect.configuration.options import Options
    from erlconnect.configuration.written import Written


def _nothing() -> Mapping[str, Written]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSettings:
    """The settings that a profile has for the offers that are used, by key."""

    backend: Mapping[str, Written] = field(default_factory=_nothing)
    cookie: Mapping[str, Written] = field(default_factory=_nothing)
    transport: Mapping[str, Written] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """One session's worth of choices; ``None`` leaves a thing to the target or the defaults."""

    service: str
    backend: str
    options: Options
    profile: str = ""
    settings: ProfileSettings = field(default_factory=ProfileSettings)
    cookie_from: str | None = None
    transport: str | None = None
    as_name: str | None = None
    node: str | None = None
    all_targets: bool = False
    caller_name: str | None = None
    local_cookie_file: Path | None = None
    visible: bool = False
    no_input: bool = False

    @property
    def named(self) -> str:
        """TARGET as a command line may name it."""
        return f"{self.profile}/{self.service}" if self.profile else self.service
