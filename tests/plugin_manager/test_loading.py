"""Which of the installed plugins may have their name, read from metadata alone.

Which names are offered for which kind, without an import of the plugins.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from erlconnect.plugin_manager import Catalogue
from erlconnect.plugin_manager.loading import CatalogueEntry, names_of_kind, scan
from erlconnect.plugin_manager.validation import Kind

if TYPE_CHECKING:
    from pathlib import Path


class Site:
    """A folder on Python's path, where a test installs metadata without any code."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, distribution: str, *points: str, version: str = "1.0") -> Path:
        info = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text("\n".join(["[erlconnect]", *points, ""]))
        return info


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(tmp_path / "first")
    return Site(tmp_path / "first")


def claims(name: str, **prefer: str) -> list[CatalogueEntry]:
    return [entry for entry in scan(prefer)[0] if entry.name == name]


def test_an_third_party_gets_a_name_that_nobody_else_claims(site: Site) -> None:
    site.install("erlconnect-tunnel", "tunnel = some.module", version="2.1")
    assert claims("tunnel") == [
        CatalogueEntry(
            name="tunnel", module="some.module", distribution="erlconnect-tunnel", version="2.1"
        )
    ]


def test_scanning_imports_no_plugin(site: Site) -> None:
    site.install("erlconnect-tunnel", "tunnel = erlconnect_tunnel_that_does_not_exist")
    before = {name for name in sys.modules if name.startswith("erlconnect_")}
    scan({})
    assert {name for name in sys.modules if name.startswith("erlconnect_")} == before


def test_our_names_come_first_and_are_never_taken(site: Site) -> None:
    site.install("aaa-first", "dns = an.impostor")
    ours, third_party = claims("dns")
    assert (ours.built_in, ours.problem) == (True, "")
    assert (third_party.distribution, third_party.problem) == (
        "aaa-first",
        "'dns' is a name of erlconnect itself",
    )


def test_even_a_preference_does_not_take_our_name(site: Site) -> None:
    site.install("aaa-first", "dns = an.impostor")
    ours, third_party = claims("dns", dns="aaa-first")
    assert not ours.problem
    assert third_party.problem
    assert scan({"dns": "aaa-first"})[1] == (
        "[plugins] prefer names aaa-first for 'dns', which is erlconnect's own",
    )


def test_of_two_third_partys_with_one_name_neither_is_used(site: Site) -> None:
    site.install("red", "twin = red")
    site.install("blue", "twin = blue")
    problem = "'twin' is claimed by blue 1.0 and red 1.0, and [plugins] prefer names none of them"
    assert [entry.problem for entry in claims("twin")] == [problem, problem]


def test_a_preference_for_a_name_that_nobody_has_is_listed() -> None:
    assert scan({"tunnle": "erlconnect-tunnel"})[1] == (
        (
            "[plugins] prefer names erlconnect-tunnel for 'tunnle', "
            "which nothing that is installed offers"
        ),
    )


def test_a_preference_chooses_between_two_third_partys_however_it_is_spelled(site: Site) -> None:
    site.install("erlconnect-red", "twin = red")
    site.install("erlconnect-blue", "twin = blue")
    blue, red = claims("twin", twin="ErlConnect_Red")
    assert (blue.problem, red.problem) == ("[plugins] prefer names ErlConnect_Red for 'twin'", "")


def test_a_preference_for_what_is_not_there_is_not_replaced_by_another(site: Site) -> None:
    site.install("erlconnect-blue", "twin = blue")
    [blue] = claims("twin", twin="erlconnect-red")
    assert blue.problem == (
        "[plugins] prefer names erlconnect-red for 'twin', which is offered by erlconnect-blue 1.0"
    )


def test_one_module_under_two_names_is_refused_under_both(site: Site) -> None:
    site.install("erlconnect-tunnel", "tunnel = a.module", "burrow = a.module", "mole = other")
    assert claims("tunnel")[0].problem == "tunnel and burrow share the module a.module"
    assert claims("burrow")[0].problem == "tunnel and burrow share the module a.module"
    assert not claims("mole")[0].problem


@pytest.mark.parametrize("name", ["session", "Tunnel", "tun_nel", "tun:nel", "1tunnel", "a--b"])
def test_a_name_that_cannot_stand_in_options_and_variables_is_refused(
    site: Site, name: str
) -> None:
    site.install("erlconnect-tunnel", f"{name} = some.module")
    assert claims(name)[0].problem == f"{name!r} cannot be the name of a plugin"


def test_metadata_that_cannot_be_read_harms_nobody_else(site: Site) -> None:
    (site.install("garbled") / "entry_points.txt").write_bytes(b"[erlconnect]\nx = \xff\xfe")
    (site.install("nameless", "x = y") / "METADATA").write_text("Version: 1.0\n")
    (site.install("lineless", "x = y") / "entry_points.txt").write_text("[erlconnect]\nnonsense\n")
    site.install("erlconnect-tunnel", "tunnel = some.module")
    assert not claims("tunnel")[0].problem
    problems = scan({})[1]
    assert len(problems) == 3
    assert all(str(site.folder) in problem for problem in problems)


def test_of_two_copies_of_one_distribution_only_the_first_on_the_path_counts(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "second")])
    Site(tmp_path / "second").install("erlconnect-tunnel", "tunnel = older", "gone = older.gone")
    site.install("erlconnect-tunnel", "tunnel = newer", version="2.0")
    assert [entry.module for entry in claims("tunnel")] == ["newer"]
    assert claims("gone") == []


def test_metadata_in_a_folder_of_another_name_counts(site: Site) -> None:
    info = site.install("erlconnect-tunnel", "tunnel = some.module")
    info.rename(info.with_name("renamed-1.0.dist-info"))
    assert [entry.distribution for entry in claims("tunnel")] == ["erlconnect-tunnel"]


def test_entries_of_other_groups_are_none_of_ours(site: Site) -> None:
    info = site.install("erlconnect-tunnel")
    (info / "entry_points.txt").write_text("[console_scripts]\nstranger = a:b\n")
    assert claims("stranger") == []


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
