"""Which names are offered for which kind, without an import of the plugins."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from erlconnect.plugin_catalogue import Catalogue
from erlconnect.plugin_catalogue.entries import CatalogueEntry, scan
from erlconnect.plugin_catalogue.hints import names_of_kind
from erlconnect.plugin_catalogue.kinds import Kind

if TYPE_CHECKING:
    from pathlib import Path


def entry(module: str, problem: str = "") -> CatalogueEntry:
    return CatalogueEntry(
        name="rack", module=module, distribution="erlconnect-rack", version="1", problem=problem
    )


@pytest.mark.parametrize("kind", list(Kind))
def test_the_built_in_names_are_those_that_the_plugins_register(kind: Kind) -> None:
    reports = [report for report in Catalogue().inspect_all() if report.entry.built_in]
    registered = {report.entry.name for report in reports if kind in report.offers}
    entries = [one for one in scan({})[0] if one.built_in]
    assert set(names_of_kind(entries, kind)) == registered


def test_a_plugin_is_not_run_for_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "erlconnect_rack"
    package.mkdir()
    for file in ("__init__.py", "discovery.py"):
        (package / file).write_text("raise SystemExit\ndef erlconnect_backends(): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugin = entry("erlconnect_rack.discovery")
    assert list(names_of_kind([plugin], Kind.BACKEND)) == ["rack"]
    assert list(names_of_kind([plugin], Kind.TRANSPORT)) == []


@pytest.mark.parametrize("kind", list(Kind))
def test_one_whose_source_is_not_found_may_be_anything(kind: Kind) -> None:
    assert list(names_of_kind([entry("nowhere.at_all")], kind)) == ["rack"]


def test_one_that_is_never_used_is_not_offered() -> None:
    assert list(names_of_kind([entry("nowhere.at_all", "claimed twice")], Kind.BACKEND)) == []


def test_nothing_heavy_is_imported_for_it() -> None:
    statement = (
        "from erlconnect.command_line.completion import backends; backends('');"
        "import sys; print(*sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", statement], capture_output=True, text=True, check=True, timeout=30
    )
    loaded = set(shown.stdout.split())
    assert loaded.isdisjoint(["pydantic", "asyncio", "kubernetes", "consul", "dns"])
    assert not [name for name in loaded if name.startswith("erlconnect_")]
