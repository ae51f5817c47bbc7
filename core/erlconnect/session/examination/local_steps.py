"""The steps that look at this machine: its Erlang and Elixir, its epmd, names and cookie file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.cookie_file import local_cookie_place, read_cookie_file
from erlconnect.epmd.environment import EpmdEnvironment
from erlconnect.epmd.place import EpmdPlace
from erlconnect.errors import ErlconnectError, NotAllowedError
from erlconnect.session.examination.programs import local_elixir, local_erlang
from erlconnect.session.examination.releases import minor_of, refuse_each_other
from erlconnect.session.examination.steps import Stage, StepName
from erlconnect.session.local_names import alias_forms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from erlconnect.session.examination.remote_steps import RemoteNode
    from erlconnect.session.examination.steps import Examination, Step

_LOCAL_NAME = "dev"  # that of the lines which people copy


async def examine_machine(
    environment: Mapping[str, str],
    examination: Examination,
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
    stage = Stage(StepName.LOCAL_ERLANG)
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
    stage = Stage(StepName.LOCAL_ELIXIR)
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


async def _epmd(environment: Mapping[str, str], examination: Examination) -> dict[str, int] | None:
    """Look whether an epmd runs; give its names."""
    stage = Stage(StepName.LOCAL_EPMD)
    try:
        local = EpmdEnvironment.read(environment)
        place = EpmdPlace(local.port, addresses=local.addresses, warn=lambda _: None)
        reply = await place.look()
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
    stage = Stage(StepName.LOCAL_NAMES)
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
    stage = Stage(StepName.LOCAL_COOKIE)
    try:
        file = local_cookie_place(path)
        if not file.exists():
            return stage.ok(f"{file} is made when a session starts")
        read_cookie_file(file)
    except ErlconnectError as error:
        return stage.failed(error)
    return stage.ok(f"{file} is as Erlang wants it")
