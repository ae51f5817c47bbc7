"""The rules of the source tree: no room with one door, and a test file for each source file."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from source_tree import PROJECT, Module, SourceTree

TREE: Final = SourceTree()
TESTS: Final = PROJECT / "tests"
_SMALL: Final = 80
# Small modules with one importer that stay alone, and why. Modules that an entry point names, and
# `__init__` and `__main__`, need no line here.
ALONE: Final[dict[str, str]] = {}
# Modules without a test file of their name, and the test files of their neighbours that hold them.
TESTED_ELSEWHERE: Final[dict[str, str]] = {}
# Folders of tests that are about no folder of sources.
FOLDERS_ACROSS: Final = {
    "consul_connect": "the mesh of Consul, through the transport of its own",
    "end_to_end": "the installed command between real peers",
    "fidelity": "what arrives behind the proxy and without it",
    "kubernetes_double": "the API server that the tests themselves bring",
}
# Test files that are about behaviour across modules, and which.
FILES_ACROSS: Final[dict[str, str]] = {}


def entry_modules() -> set[str]:
    """Modules that an entry point of the distribution names."""
    return {point.module for point in distribution("erlconnect").entry_points}


def lazily_imported(name: str, importer: str) -> bool:
    """Whether functions alone import the module, so that the others start without it."""
    module = TREE.modules[importer]
    at_the_top = {node.lineno for node in module.tree.body}
    return all(
        one.line not in at_the_top
        for one in module.imports
        if not one.for_types and (one.name == name or one.name.startswith(f"{name}."))
    )


def too_small() -> list[str]:
    """Small modules that one other module imports, each with that one."""
    entries = entry_modules()
    return [
        f"{name} ({TREE.modules[name].lines} lines) is a section of {importer}"
        for name, importer in TREE.only_importers.items()
        if TREE.modules[name].lines < _SMALL
        and not (TREE.modules[name].is_package or TREE.modules[name].is_main)
        and name not in entries
        and not (".command_line." in name and lazily_imported(name, importer))
    ]


def mirror(module: Module) -> Path:
    """Where the tests of ``module`` are, below ``tests``."""
    *folders, name = module.name.split(".")[1:]
    return Path(*folders, f"test_{name}.py")


def sources() -> list[Module]:
    return [one for one in TREE.modules.values() if not (one.is_package or one.is_main)]


def without_a_test_file() -> list[str]:
    return [
        f"{one.name} has no {mirror(one)}"
        for one in sources()
        if not (TESTS / mirror(one)).exists() and one.name not in TESTED_ELSEWHERE
    ]


def without_a_source() -> list[str]:
    mirrors = {mirror(one) for one in sources()}
    files = [path.relative_to(TESTS) for path in sorted(TESTS.rglob("*/test_*.py"))]
    return [
        f"{file} mirrors no source file"
        for file in files
        if file not in mirrors
        and len(file.parts) > 1
        and file.parts[0] not in FOLDERS_ACROSS
        and str(file) not in FILES_ACROSS
    ]


def test_a_small_module_with_one_importer_is_a_section_of_it() -> None:
    assert [one for one in too_small() if one.split(maxsplit=1)[0] not in ALONE] == []


def test_each_source_file_has_a_test_file_of_its_name() -> None:
    assert without_a_test_file() == []


def test_each_test_file_has_a_source_file_of_its_name() -> None:
    assert without_a_source() == []


def test_no_exception_is_kept_that_is_none() -> None:
    """A line of the lists goes when what it excuses is gone."""
    small = {one.split(maxsplit=1)[0] for one in too_small()}
    missing = {one.name for one in sources() if not (TESTS / mirror(one)).exists()}
    mirrors = {str(mirror(one)) for one in sources()}
    assert set(ALONE) <= small
    assert set(TESTED_ELSEWHERE) <= missing
    assert all((TESTS / file).exists() for file in TESTED_ELSEWHERE.values())
    assert not set(FILES_ACROSS) & mirrors
    assert all((TESTS / file).exists() for file in [*FILES_ACROSS, *FOLDERS_ACROSS])
