"""Which kinds of offers a plugin may have, read off its source: nothing is imported for it.

A hint for completion, which has to be quick and must not run what somebody else wrote.
"""

from __future__ import annotations

import re
from importlib.machinery import PathFinder
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from erlconnect.plugin_catalogue.entries import CatalogueEntry
    from erlconnect.plugin_catalogue.kinds import Kind


def names_of_kind(entries: Iterable[CatalogueEntry], kind: Kind) -> Iterator[str]:
    """Give the names that may be used and may mean an offer of ``kind``."""
    for entry in entries:
        if not entry.problem and _may_offer(entry.module, kind):
            yield entry.name


def _may_offer(module: str, kind: Kind) -> bool:
    """Say whether the source of ``module`` names the hook; yes where there is none to read."""
    source = _source(module)
    # A package may be called like a hook, as our own is.
    return source is None or bool(re.search(rf"\b{kind.hook}\b(?!\.)", source))


def _source(module: str) -> str | None:
    places: Sequence[str] | None = None
    origin = ""
    for name in accumulate(module.split("."), "{}.{}".format):
        spec = PathFinder.find_spec(name, places)
        if spec is None:
            return None
        places, origin = spec.submodule_search_locations, spec.origin or ""
    try:
        return Path(origin).read_text()
    except (OSError, ValueError):
        return None
