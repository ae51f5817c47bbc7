"""Guesses what somebody meant to type."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(word: str, possibilities: Iterable[str]) -> str:
    """Give ``"Did you mean 'x'? "`` for a word near one of ``possibilities``, else nothing."""
    import difflib  # noqa: PLC0415 - only a mistake pays for it

    near = difflib.get_close_matches(word, sorted(possibilities), n=1)
    return f"Did you mean {near[0]!r}? " if near else ""
