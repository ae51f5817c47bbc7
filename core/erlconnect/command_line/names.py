"""Names that users choose, checked before anything is opened."""

from __future__ import annotations

from erlconnect.api import NodeName
from erlconnect.errors import UsageError


def alias_name(text: str | None) -> str | None:
    """Give what ``--as`` says; ``UsageError`` where it cannot be the name part of an alias."""
    if text is not None:
        _check(
            "--as", f"{text}@localhost", "Write the part before the '@' alone, e.g. `--as shop`."
        )
    return text


def caller_name(text: str | None) -> str | None:
    """Give what ``--caller-name`` says; ``UsageError`` where no node can have that name."""
    if text is not None:
        whole = text if "@" in text else f"{text}@erlconnect.invalid"
        _check("--caller-name", whole, "Write NAME or NAME@HOST, e.g. `--caller-name console`.")
    return text


def _check(option: str, name: str, remedy: str) -> None:
    try:
        NodeName.parse(name)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", remedy=remedy) from None
