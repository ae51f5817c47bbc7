"""Every kept input of every fuzzing target again, so that what was found once stays mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from targets import CORPUS, TARGETS

if TYPE_CHECKING:
    from pathlib import Path

INPUTS = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_kept_input_breaks_nothing(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_a_corpus_of_its_own() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    assert {path.parent.name for path in INPUTS} == set(TARGETS)


def test_the_corpus_stays_small() -> None:
    for name in TARGETS:
        sizes = [path.stat().st_size for path in INPUTS if path.parent.name == name]
        assert sum(sizes) < 32 * 1024, f"{name}: {sum(sizes)} bytes in {len(sizes)} inputs"
