"""The steps that look at this machine: its Erlang and Elixir, its epmd, names and cookie file.

The Erlang and Elixir of this machine: whether they are on PATH, and which releases.
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

_SECONDS: Final = 15.0
_RELEASE: Final = "io:put_chars(erlang:system_info(otp_release)), halt()."
# Flags of the user's own could start a distributed node here, or a shell.
_FLAGS: Final = ("ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS", "ELIXIR_ERL_OPTIONS")
_OTP: Final = re.compile(r"^(\d+)$", re.MULTILINE)
_ELIXIR: Final = re.compile(r"^(\d+\.\d+\S*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program on PATH; ``version`` is empty where it did not tell one, and ``said`` is why."""

    path: str
    version: str
    said: str = ""


async def local_erlang(environment: Mapping[str, str]) -> Program | None:
    """Ask ``erl`` for its OTP release; ``None`` where it is not on PATH."""
    words = ("-noinput", "-boot", "no_dot_erlang", "-eval", _RELEASE)
    return await _asked("erl", words, _OTP, environment)


async def local_elixir(environment: Mapping[str, str]) -> Program | None:
    """Ask ``elixir`` for its version; ``None`` where it is not on PATH."""
    return await _asked("elixir", ("--short-version",), _ELIXIR, environment)


async def _asked(
    name: str, words: Sequence[str], pattern: re.Pattern[str], environment: Mapping[str, str]
) -> Program | None:
    path = shutil.which(name, path=environment.get("PATH"))
    if path is None:
        return None
    try:
        said = await _output(path, words, environment)
    except (OSError, TimeoutError) as error:
        reason = str(error) or f"it took longer than {_SECONDS:g} s"
        return Program(path=path, version="", said=reason)
    found = pattern.search(said)
    if found is None:
        last = said.strip().splitlines()[-1:] or ["nothing"]
        return Program(path=path, version="", said=f"it said {last[0][:200]}")
    return Program(path=path, version=found[1])


async def _output(path: str, words: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a program, and end all that it has started; return what it wrote."""
    own = {name: value for name, value in environment.items() if name not in _FLAGS}
    output = await child_output(
        [path, *words],
        deadline=_SECONDS,
        environment={**own, "ERL_CRASH_DUMP_BYTES": "0"},
        own_session=True,
        merged=True,
    )
    return output.stdout.decode(errors="replace")


_LOCAL_NAME = "dev"  # that of the lines which people copy


async def examine_machine(
    environment: Mapping[str, str],
    examination: Report,
    *,
    remote: RemoteNode | None,
    alias: str,
    cookie_file: Path | None,
) -> None:
    """Take all local steps; ``remote`` is what its node told, ``alias`` its name here, if any."""
    examination.add(await _erlang(environment, remote))
    examination.add(await _elixir(environment, remote))
    names = await _epmd(environment, examination)
    if names is None:
        examination.skip([StepName.LOCAL_NAMES], "there is no epmd to ask")
    else:
        examination.add(_names(names, alias))
    examination.add(_cookie(cookie_file))


async def _erlang(environment: Mapping[str, str], remote: RemoteNode | None) -> Step:
    stage = StepTimer(StepName.LOCAL_ERLANG)
    here = await local_erlang(environment)
    there = remote.otp if remote else ""
    if here is None:
        return stage.note(
            "there is no erl on PATH; erlconnect itself needs none",
            remedy="Install Erlang for iex, erl, Observer or erl_call.",
        )
    if not here.version:
        return stage.note(
            f"{here.path} does not tell its release: {here.said}",
            remedy="Run `erl` by hand and see what it says.",
        )
    if there.isdigit() and refuse_each_other(int(here.version), int(there)):
        return stage.failed(_too_far_apart(here.version, there))
    beside = f", and OTP {there} there: they talk with each other" if there.isdigit() else ""
    return stage.ok(f"OTP {here.version} ({here.path}){beside}")


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
    stage = StepTimer(StepName.LOCAL_ELIXIR)
    here = await local_elixir(environment)
    there = remote.elixir if remote else ""
    if here is None:
        return stage.note(
            "there is no elixir on PATH; erlconnect itself needs none",
            remedy="Install Elixir for iex, or take `erl -remsh`.",
        )
    if not here.version:
        return stage.note(
            f"{here.path} does not tell its version: {here.said}",
            remedy="Run `elixir --version` by hand and see what it says.",
        )
    if there and minor_of(here.version) != minor_of(there):
        return stage.note(
            f"Elixir {here.version} here and {there} there: iex and Livebook work with a node of "
            "their own minor version only",
            remedy=f"Run them with Elixir {minor_of(there)}, or take `erl -remsh`.",
        )
    return stage.ok(f"Elixir {here.version} ({here.path})")


async def _epmd(environment: Mapping[str, str], examination: Report) -> dict[str, int] | None:
    """Look whether an epmd runs; return its names."""
    stage = StepTimer(StepName.LOCAL_EPMD)
    try:
        local = EpmdEnvironment.read(environment)
        provider = EpmdProvider(local.port, addresses=local.addresses, warn=lambda _: None)
        reply = await provider.names_if_running()
    except ErlconnectError as error:
        examination.add(stage.failed(error))
        return None
    if reply is None:
        examination.add(
            stage.ok(f"none runs on port {local.port}: a session serves one as long as it lives")
        )
        return {}
    names = dict(reply.nodes)
    known = ", ".join(sorted(names)) or "no names"
    examination.add(stage.ok(f"one runs on port {local.port} and knows {known}"))
    return names


def _names(names: Mapping[str, int], alias: str) -> Step:
    stage = StepTimer(StepName.LOCAL_NAMES)
    taken = []
    if alias in names:
        taken.append(f"{alias} is registered here, so that the alias gets a number")
    if _LOCAL_NAME in names:
        taken.append(f"{_LOCAL_NAME} is registered here, so that no second {_LOCAL_NAME} starts")
    if taken:
        return stage.note(
            "; ".join(taken),
            remedy="Name the alias with `--as`, and your own node otherwise than those: "
            "`epmd -names` lists them.",
        )
    free = f"{alias_forms(alias)[0]} and {_LOCAL_NAME}" if alias else _LOCAL_NAME
    return stage.ok(f"{free}: nobody is called so here")


def _cookie(path: Path | None) -> Step:
    stage = StepTimer(StepName.LOCAL_COOKIE)
    try:
        file = local_cookie_place(path)
        if not file.exists():
            return stage.ok(f"{file} is made when a session starts")
        read_cookie_file(file)
    except ErlconnectError as error:
        return stage.failed(error)
    return stage.ok(f"{file} is as Erlang wants it")
