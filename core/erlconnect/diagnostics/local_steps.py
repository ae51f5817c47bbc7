"""The steps of ``doctor`` on this machine: Erlang, Elixir, epmd, names and the cookie file.

``local_erlang`` and ``local_elixir`` start the programs on PATH to ask for their versions.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.cookie_file import local_cookie_place, read_cookie_file
from erlconnect.diagnostics.otp_releases import minor_of, refuse_each_other
from erlconnect.diagnostics.steps import StepName, StepTimer
from erlconnect.epmd.local_epmd import EpmdEnvironment, EpmdProvider
from erlconnect.errors import ErlconnectError, NotAllowedError
from erlconnect.net.subprocesses import child_output
from erlconnect.session.names import alias_forms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from erlconnect.diagnostics.remote_steps import RemoteNode
    from erlconnect.diagnostics.steps import Report, Step

_PROGRAM_SECONDS: Final = 15.0
_RELEASE: Final = "io:put_chars(erlang:system_info(otp_release)), halt()."
# Flags of the user's own could start a distributed node here, or a shell.
_FLAGS: Final = ("ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS", "ELIXIR_ERL_OPTIONS")
_OTP: Final = re.compile(r"^(\d+)$", re.MULTILINE)
_ELIXIR: Final = re.compile(r"^(\d+\.\d+\S*)$", re.MULTILINE)
# The name of the user's own node in all lines that the docs and `ready` offer for copying.
_LOCAL_NAME: Final = "dev"


async def examine_machine(
    environment: Mapping[str, str],
    report: Report,
    *,
    remote: RemoteNode | None,
    alias: str,
    cookie_file: Path | None,
) -> None:
    """Take all local steps; ``remote`` is the node of TARGET, ``alias`` its name here, if any."""
    report.add(await _erlang(environment, remote))
    report.add(await _elixir(environment, remote))
    names = await _epmd(environment, report)
    if names is None:
        report.skip([StepName.LOCAL_NAMES], "there is no epmd to ask")
    else:
        report.add(_names(names, alias))
    report.add(_cookie(cookie_file))


async def _erlang(environment: Mapping[str, str], remote: RemoteNode | None) -> Step:
    timer = StepTimer(StepName.LOCAL_ERLANG)
    here = await local_erlang(environment)
    there = remote.otp if remote else ""
    if here is None:
        return timer.note(
            "there is no erl on PATH; erlconnect itself needs none",
            remedy="Install Erlang for iex, erl, Observer or erl_call.",
        )
    if not here.version:
        return timer.note(
            f"{here.path} does not tell its release: {here.problem}",
            remedy="Run `erl` by hand and see what it says.",
        )
    # `release_by_flags` may return a range or nothing: only an exact release is compared.
    if there.isdigit() and refuse_each_other(int(here.version), int(there)):
        return timer.failed(_too_far_apart(here.version, there))
    beside = f", and OTP {there} there: they talk with each other" if there.isdigit() else ""
    return timer.ok(f"OTP {here.version} ({here.path}){beside}")


def _too_far_apart(here: str, there: str) -> NotAllowedError:
    newer = max(here, there, key=int)
    return NotAllowedError(
        f"OTP {here} here and OTP {there} there refuse each other: OTP {newer} wants flags in the "
        "handshake that the older one does not know",
        remedy=f"Use another Erlang here: any from OTP 24 on talks with OTP {there}."
        if int(there) > int(here)
        else f"Use an older Erlang here: OTP 25 talks with OTP {there}.",
    )


async def _elixir(environment: Mapping[str, str], remote: RemoteNode | None) -> Step:
    timer = StepTimer(StepName.LOCAL_ELIXIR)
    here = await local_elixir(environment)
    there = remote.elixir if remote else ""
    if here is None:
        return timer.note(
            "there is no elixir on PATH; erlconnect itself needs none",
            remedy="Install Elixir for iex, or take `erl -remsh`.",
        )
    if not here.version:
        return timer.note(
            f"{here.path} does not tell its version: {here.problem}",
            remedy="Run `elixir --version` by hand and see what it says.",
        )
    if there and minor_of(here.version) != minor_of(there):
        return timer.note(
            f"Elixir {here.version} here and {there} there: iex and Livebook work with a node of "
            "their own minor version only",
            remedy=f"Run them with Elixir {minor_of(there)}, or take `erl -remsh`.",
        )
    return timer.ok(f"Elixir {here.version} ({here.path})")


async def _epmd(environment: Mapping[str, str], report: Report) -> dict[str, int] | None:
    """Return the names of the epmd and their ports, empty if none runs; ``None`` after an error."""
    timer = StepTimer(StepName.LOCAL_EPMD)
    try:
        local = EpmdEnvironment.read(environment)
        provider = EpmdProvider(local.port, addresses=local.addresses, warn=lambda _: None)
        reply = await provider.names_if_running()
    except ErlconnectError as error:
        report.add(timer.failed(error))
        return None
    if reply is None:
        report.add(
            timer.ok(f"none runs on port {local.port}: a session serves one as long as it lives")
        )
        return {}
    names = dict(reply.nodes)
    known = ", ".join(sorted(names)) or "no names"
    report.add(timer.ok(f"one runs on port {local.port} and knows {known}"))
    return names


def _names(names: Mapping[str, int], alias: str) -> Step:
    timer = StepTimer(StepName.LOCAL_NAMES)
    taken = []
    # Both are notes: an alias gets a number then, and only starting a second node fails.
    if alias in names:
        taken.append(f"{alias} is registered here, so that the alias gets a number")
    if _LOCAL_NAME in names:
        taken.append(f"{_LOCAL_NAME} is registered here, so that no second {_LOCAL_NAME} starts")
    if taken:
        return timer.note(
            "; ".join(taken),
            remedy="Name the alias with `--as`, and your own node otherwise than those: "
            "`epmd -names` lists them.",
        )
    free = f"{alias_forms(alias)[0]} and {_LOCAL_NAME}" if alias else _LOCAL_NAME
    return timer.ok(f"{free}: not registered here")


def _cookie(path: Path | None) -> Step:
    timer = StepTimer(StepName.LOCAL_COOKIE)
    try:
        file = local_cookie_place(path)
        if not file.exists():
            return timer.ok(f"{file} is made when a session starts")
        read_cookie_file(file)
    except ErlconnectError as error:
        return timer.failed(error)
    return timer.ok(f"{file} is as Erlang wants it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program on PATH; where ``version`` is empty, ``problem`` says why."""

    path: str
    version: str
    problem: str = ""


async def local_erlang(environment: Mapping[str, str]) -> Program | None:
    """Ask ``erl`` for its OTP release; ``None`` where it is not on PATH."""
    # Neither ~/.erlang nor a node: the answer must not depend on the user's files.
    words = ("-noinput", "-boot", "no_dot_erlang", "-eval", _RELEASE)
    return await _program("erl", words, _OTP, environment)


async def local_elixir(environment: Mapping[str, str]) -> Program | None:
    """Ask ``elixir`` for its version; ``None`` where it is not on PATH."""
    return await _program("elixir", ("--short-version",), _ELIXIR, environment)


async def _program(
    name: str, words: Sequence[str], pattern: re.Pattern[str], environment: Mapping[str, str]
) -> Program | None:
    path = shutil.which(name, path=environment.get("PATH"))
    if path is None:
        return None
    try:
        output = await _output(path, words, environment)
    except (OSError, TimeoutError) as error:
        reason = str(error) or f"it took longer than {_PROGRAM_SECONDS:g} s"
        return Program(path=path, version="", problem=reason)
    # Searched and not compared: a program may print warnings before its version.
    found = pattern.search(output)
    if found is None:
        last = output.strip().splitlines()[-1:] or ["nothing"]
        return Program(path=path, version="", problem=f"it said {last[0][:200]}")
    return Program(path=path, version=found[1])


async def _output(path: str, words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a program in a session of its own, which is ended with it; return its output."""
    own = {name: value for name, value in environment.items() if name not in _FLAGS}
    output = await child_output(
        [path, *words],
        deadline=_PROGRAM_SECONDS,
        # A program that is killed must not leave a crash dump in the working directory.
        environment={**own, "ERL_CRASH_DUMP_BYTES": "0"},
        own_session=True,
        merged=True,
    )
    return output.stdout.decode(errors="replace")
