"""The rules of the source tree: no needless small module, a test file for each source file."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from source_tree import PROJECT, Module, SourceTree

TREE: Final = SourceTree()
TESTS: Final = PROJECT / "tests"
_SMALL: Final = 80
# Where the tests of each package of sources are, below `tests`.
FOLDER_OF: Final = {
    "erlconnect": "",
    "erlconnect_backends": "backends",
    "erlconnect_plugins": "plugins",
}
# Another folder in which the tests of a folder may be.
FOLDER_INSTEAD_OF: Final = {Path("command_line"): Path("end_to_end")}
# Small modules with one importer that stay alone, and why. No line here need modules that an entry
# point names, bodies of commands that are imported when they run, `__init__` and `__main__`.
ALONE: Final = {
    "erlconnect.guard.malformed": "a rule, as `stop` and `inbound` are; the table names it",
    "erlconnect.guard.reads": "the state that the rules of `stop` need; the rules have none",
}
# Modules without a test file of their name, and the files that test them instead.
TESTED_ELSEWHERE: Final = {
    # They hold definitions alone; what they define is tested where it is used.
    "erlconnect.api": "testing/test_kit.py",
    "erlconnect.contract": "testing/test_kit.py",
    "erlconnect.errors": "test_docs.py",
    "erlconnect.hookspecs": "plugin_manager/test_catalogue.py",
    "erlconnect.configuration.problems": "configuration/test_profiles.py",
    "erlconnect.diagnostics.events": "test_docs.py",
    "erlconnect.distribution.errors": "distribution/test_frames.py",
    "erlconnect.session.config": "session/test_discovery.py",
    "erlconnect.guard.answers": "end_to_end/test_guard_stop.py",
    "erlconnect.guard.message": "guard/test_frame_guard.py",
    "erlconnect_plugins.commands": "end_to_end/test_plugins_end_to_end.py",
    # They choose the words of errors, which the tests of what fails compare.
    "erlconnect.proxy.errors": "proxy/test_handshake.py",
    "erlconnect_backends.consul.errors": "backends/consul/test_backend.py",
    "erlconnect_backends.dns.errors": "backends/dns/test_backend.py",
    "erlconnect_backends.kubernetes.errors": "backends/kubernetes/test_api_client.py",
    "erlconnect_backends.kubernetes.forward_errors": (
        "backends/kubernetes/port_forward/test_port_forward.py"
    ),
    # They do nothing without what is around them: the tests run both with real peers.
    "erlconnect.command_line.child_process": "end_to_end/test_signals.py",
    "erlconnect.command_line.connect": "end_to_end/test_human_output.py end_to_end/test_dry_run.py",
    "erlconnect.command_line.remote_calls": "end_to_end/test_rpc.py end_to_end/test_eval.py",
    "erlconnect.command_line.top_app": "end_to_end/test_top.py",
    "erlconnect.command_line.top_web": "end_to_end/test_top.py",
    "erlconnect.command_line.demo": "end_to_end/test_getting_started.py",
    "erlconnect.client.connection": "client/test_calls.py",
    "erlconnect.client.elixir_syntax": "client/test_erlang_syntax_with_nodes.py",
    "erlconnect.client.evaluation": "end_to_end/test_eval.py",
    "erlconnect.client.group_leader": "client/test_calls.py",
    "erlconnect.client.json_terms": "end_to_end/test_rpc.py",
    "erlconnect.client.sampling": "end_to_end/test_top.py",
    "erlconnect.guard.calls": "guard/test_frame_guard.py",
    "erlconnect.guard.inbound": "end_to_end/test_guard_inbound.py",
    "erlconnect.guard.link_guard": "end_to_end/test_guard_links.py",
    "erlconnect.guard.reads": "end_to_end/test_guard_shells.py",
    "erlconnect.guard.stop": "end_to_end/test_guard_stop.py",
    "erlconnect.guard.stop_calls": "guard/test_frame_guard.py",
    "erlconnect.diagnostics.doctor": "end_to_end/test_doctor.py",
    "erlconnect.diagnostics.ping": "end_to_end/test_ping.py",
    "erlconnect.diagnostics.targets": "end_to_end/test_targets.py",
    "erlconnect.net.stream_pump": "net/test_tls.py",
    "erlconnect.plugin_manager.validation": "plugin_manager/test_catalogue.py",
    "erlconnect.session.connector": "session/test_session.py",
    "erlconnect.session.cookies": "end_to_end/test_cookies_end_to_end.py",
    "erlconnect.session.inspection": "end_to_end/test_doctor.py",
    "erlconnect.session.plan": "end_to_end/test_dry_run.py",
    "erlconnect.session.status_socket": "end_to_end/test_status.py",
    "erlconnect_backends.consul.instances": "backends/consul/test_backend.py",
    "erlconnect_backends.kubernetes.access_review": "end_to_end/test_doctor_kubernetes.py",
    "erlconnect_backends.kubernetes.credential_plugin": "backends/kubernetes/test_kubeconfig.py",
    "erlconnect_backends.railway.plugin": "backends/railway/test_backend.py",
}
# Folders of tests that are about no folder of sources.
FOLDERS_ACROSS: Final = {
    "end_to_end": "the installed command between real peers",
    "fidelity": "what arrives behind the proxy and without it",
    "fuzz": "the kept corpus of all fuzzing targets",
    "kubernetes_double": "the API server that the tests themselves bring",
}
# Test files that are about behaviour across modules, and which.
FILES_ACROSS: Final = {
    "test_docs.py": "the documentation names what the code has",
    "test_docs_of_profiles.py": "the profiles of the documentation are valid",
    "test_house.py": "the rules of the tree, here",
    "test_man_page.py": "the page of a wheel that is built",
    "test_quick.py": "the choice of tests for `./run test quick`",
    "test_recordings.py": "the sessions that the documentation shows",
    "test_world.py": "the peers of the tests",
}


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


def sources() -> list[Module]:
    return [one for one in TREE.modules.values() if not (one.is_package or one.is_main)]


def place(module: Module) -> tuple[Path, str]:
    """Folder below ``tests`` and name of the tests of ``module``, without an aspect."""
    package, *folders, name = module.name.split(".")
    return Path(FOLDER_OF[package], *folders), f"test_{name}"


def mirrored_by(file: Path) -> str | None:
    """The source whose tests ``file`` has: the one with the longest name that begins its own.

    ``test_handshake_messages`` so belongs to ``handshake_messages`` and not to ``handshake``. The
    folders of one backend's tests may be divided further, and a command may be tested between real
    peers alone.
    """
    found = [
        (name, module)
        for module in sources()
        for folder, name in [place(module)]
        if file.parent in {folder, FOLDER_INSTEAD_OF.get(folder)}
        or (file.parts[0] == FOLDER_OF["erlconnect_backends"] and folder in file.parents[1:-2])
        if file.stem == name or file.stem.startswith(f"{name}_")
    ]
    return max(found, key=lambda one: len(one[0]))[1].name if found else None


def files_of_tests() -> list[Path]:
    """All files of tests, relative to ``tests``."""
    return [path.relative_to(TESTS) for path in sorted(TESTS.rglob("test_*.py"))]


def without_a_test_file() -> list[str]:
    mirrored = {mirrored_by(file) for file in files_of_tests()}
    return [one.name for one in sources() if one.name not in mirrored]


def without_a_source() -> list[str]:
    return [
        str(file)
        for file in files_of_tests()
        if mirrored_by(file) is None and file.parts[0] not in FOLDERS_ACROSS
    ]


def import_circles() -> list[set[str]]:
    """Modules that import each other while they are loaded: which of them loads first matters."""
    imported: dict[str, set[str]] = {name: set() for name in TREE.modules}
    for module in TREE.modules.values():
        at_the_top = {node.lineno for node in module.tree.body}
        for one in module.imports:
            target = one.name if one.name in TREE.modules else one.name.rpartition(".")[0]
            if one.line in at_the_top and target in TREE.modules and target != module.name:
                imported[module.name].add(target)
    reached = {name: reachable(name, imported) for name in imported}
    circles = [
        {other for other in reached[name] if name in reached[other]}
        for name in imported
        if name in reached[name]
    ]
    return [circle for number, circle in enumerate(circles) if circle not in circles[:number]]


def reachable(start: str, imported: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        new = imported[waiting.pop()] - reached
        reached |= new
        waiting += new
    return reached


def test_a_small_module_with_one_importer_is_a_section_of_it() -> None:
    assert [one for one in too_small() if one.split(maxsplit=1)[0] not in ALONE] == []


def test_no_modules_import_each_other() -> None:
    assert import_circles() == []


def test_each_source_file_has_a_test_file_of_its_name() -> None:
    assert set(without_a_test_file()) - set(TESTED_ELSEWHERE) == set()


def test_each_test_file_has_a_source_file_of_its_name() -> None:
    assert set(without_a_source()) - set(FILES_ACROSS) == set()


def test_no_exception_is_kept_that_is_none() -> None:
    """A line of the lists goes when what it excuses is gone."""
    assert set(ALONE) - {one.split(maxsplit=1)[0] for one in too_small()} == set()
    assert set(TESTED_ELSEWHERE) - set(without_a_test_file()) == set()
    assert set(FILES_ACROSS) - set(without_a_source()) == set()
    held = [file for files in TESTED_ELSEWHERE.values() for file in files.split()]
    assert [one for one in [*held, *FOLDERS_ACROSS] if not (TESTS / one).exists()] == []
