"""Which tests need no peer: those that start no process and require nothing of the machine.

Found out from the code of a test, of its fixtures and of what both call in ``tests``, so that no
list has to follow when tests are moved or renamed. What the code under test starts is not seen so;
a guard watches over each quick run, and fails the test in which a peer was started.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Final

import pytest
from world import missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TESTS: Final = Path(__file__).parent
PEERS: Final = (
    *("consul", "ejabberdctl", "elixir", "epmd", "erl", "iex", "ip", "knotc", "knotd", "kubectl"),
    *("mmdebstrap", "openssl", "rabbitmq-server", "socat", "ssh", "sshd", "tinyproxy"),
)
"""Programs that a machine with nothing but the virtual environment may lack."""
_STARTS: Final = (
    *(subprocess.Popen, subprocess.run, subprocess.call),
    *(subprocess.check_call, subprocess.check_output),
    *(asyncio.create_subprocess_exec, asyncio.create_subprocess_shell),
    *(os.fork, os.posix_spawn, os.posix_spawnp, pty.fork, pty.spawn),
    missing.require,
)
_EVENTS: Final = ("subprocess.Popen", "os.posix_spawn")


class Reach:
    """Whether code can reach what starts a process; what is known of a piece of code is kept."""

    def __init__(self) -> None:
        # The objects are kept with their identities, so that no other object gets one of those.
        self._known: dict[int, tuple[object, bool]] = {}

    def starts_processes(self, thing: object) -> bool:
        """Return whether ``thing``, a function or a class, can start a process."""
        if id(thing) not in self._known:
            seen: dict[int, object] = {}
            starts = self._search(thing, seen)
            # Of code that was seen on the way to a start not all leads there.
            clean = () if starts else seen.values()
            self._known |= {id(each): (each, False) for each in clean}
            self._known[id(thing)] = (thing, starts)
        return self._known[id(thing)][1]

    def _search(self, thing: object, seen: dict[int, object]) -> bool:
        pending = [thing]
        while pending:
            part = pending.pop()
            known = self._known.get(id(part))
            if any(part is start for start in _STARTS) or (known and known[1]):
                return True
            if not known and id(part) not in seen:
                seen[id(part)] = part
                pending += _parts(part)
        return False


def _parts(thing: object) -> Iterator[object]:
    """Yield what ``thing`` names, wraps or holds, as far as it may lead to a process."""
    match thing:
        case MethodType() | staticmethod() | classmethod():
            yield thing.__func__
        case property():
            yield thing.fget
        case functools.partial():
            yield from (thing.func, *thing.args, *thing.keywords.values())
        case FunctionType():
            yield from _parts_of_function(thing)
        case type() if _is_ours(thing):
            yield from (*thing.__bases__, *vars(thing).values())
        case list() | tuple() | set() | frozenset():
            yield from thing
        case dict():
            yield from thing.values()
        case _ if _is_ours(type(thing)):
            yield type(thing)


def _parts_of_function(function: FunctionType) -> Iterator[object]:
    if hasattr(function, "__wrapped__"):
        yield function.__wrapped__
    if hasattr(function, "hypothesis"):
        yield function.hypothesis.inner_test
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            continue
    if not _is_ours(function):
        return
    yield from function.__defaults__ or ()
    names = set(_names(function.__code__))
    for name in names:
        found = function.__globals__.get(name, _module(name))
        if isinstance(found, ModuleType):
            yield from _named_in(found, names)
        else:
            yield found


def _module(name: str) -> ModuleType | None:
    """Return the module of that name, which a function imports itself, perhaps for the first time.

    Of those that are not loaded yet only ours matter.
    """
    if name not in sys.modules and (TESTS / name.replace(".", "/")).with_suffix(".py").exists():
        return importlib.import_module(name)
    return sys.modules.get(name)


def _named_in(module: ModuleType, names: Iterable[str]) -> Iterator[object]:
    """Yield what code with these ``names`` may mean in a module, and in modules within it."""
    for name in names:
        found = getattr(module, name, None)
        if not isinstance(found, ModuleType):
            yield found
        elif _is_ours(found):
            yield from (getattr(found, inner, None) for inner in names)


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names in ``code`` and in the functions within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_ours(thing: Any) -> bool:
    """Return whether ``thing`` stands in the folder of the tests."""
    module = thing if isinstance(thing, ModuleType) else sys.modules.get(thing.__module__ or "")
    file = getattr(module, "__file__", None)
    return file is not None and TESTS in Path(file).parents


def is_quick(item: pytest.Item, reach: Reach) -> bool:
    """Return whether a test needs no peer."""
    function = getattr(item, "obj", None)
    fixtures = getattr(item, "_fixtureinfo").name2fixturedefs.values()  # noqa: B009 - pytest's own
    callspec = getattr(item, "callspec", None)
    parameters = callspec.params.values() if callspec else ()
    used = [function, *(each[-1].func for each in fixtures), *parameters]
    return not any(map(reach.starts_processes, used))


class Guard:
    """Fails a quick test in which a peer was started, if only by the code under test.

    A script of a test that is called as a peer is none.
    """

    def __init__(self) -> None:
        self._peers = {_file(name, os.environ) for name in PEERS} - {None}
        self._started: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _EVENTS:
            program, environment = os.fsdecode(arguments[0]), arguments[-1]
            if _file(program, os.environ if environment is None else environment) in self._peers:
                self._started.append(program)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[Any]:
        """Begin each test with nothing started."""
        self._started.clear()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Iterator[Any]:
        """Fail the test if a peer was started in it."""
        result = yield
        assert not self._started, f"a quick test started {', '.join(self._started)}"
        return result


def _file(program: str, environment: Mapping[Any, Any]) -> str | None:
    """Return the file that starts as ``program``; ``None`` where there is none."""
    path = environment.get("PATH") or environment.get(b"PATH") or os.defpath
    found = shutil.which(program, path=os.fsdecode(path))
    return found and os.path.realpath(found)
