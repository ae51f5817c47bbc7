"""Which names to try for a node whose name may be taken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LAST_NUMBER: Final = 999


def candidates(name: str, suffix: str = "") -> Iterator[str]:
    """Give ``name``, then with ``suffix`` if there is one, then with 2, 3... after a dash.

    No candidate holds two dashes in a row, because Livebook takes ``a--b`` for a part of ``a``.
    """
    yield _single_dashes(name)
    allowed = re.sub(r"[^0-9A-Za-z_]+", "-", suffix).strip("-")
    if allowed:
        yield _single_dashes(f"{name}-{allowed}")
    for number in range(2, _LAST_NUMBER + 1):
        yield _single_dashes(f"{name}-{number}")


def _single_dashes(name: str) -> str:
    return re.sub(r"-{2,}", "-", name)
