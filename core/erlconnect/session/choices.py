"""What the user asked for, once flags and variables have been read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from erlconnect.configuration.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """One session's worth of choices; ``None`` leaves a thing to the target or the defaults."""

    service: str
    backend: str
    options: Options
    cookie_from: str | None = None
    transport: str | None = None
    as_name: str | None = None
    node: str | None = None
    all_targets: bool = False
    caller_name: str | None = None
    local_cookie_file: Path | None = None
    visible: bool = False
    no_input: bool = False
