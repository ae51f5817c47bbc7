"""The steps from TARGET to what its node says of itself."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.errors import ErlconnectError, RefusedError
from erlconnect.session.examination.inquiry import inquire
from erlconnect.session.examination.releases import release_by_flags
from erlconnect.session.examination.steps import Stage, StepName
from erlconnect.session.examination.way import WAY, Failure, steps_lost, steps_there

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Cookie, Target
    from erlconnect.proxy.own_connection import OwnConnection
    from erlconnect.session.approach import Approached
    from erlconnect.session.examination.inquiry import Answers
    from erlconnect.session.examination.steps import Examination
    from erlconnect.session.lookout import Lookout

REMOTE_STEPS: Final = (
    StepName.DISCOVERY,
    StepName.RIGHTS,
    *WAY,
    StepName.COOKIE,
    StepName.COOKIE_CHECK,
    StepName.TICK,
    StepName.REMOTE_ERLANG,
    StepName.RUNTIME_TOOLS,
    StepName.REMOTE_ELIXIR,
)
_AFTER_DISCOVERY: Final = REMOTE_STEPS[2:]
_AFTER_COOKIE_CHECK: Final = REMOTE_STEPS[REMOTE_STEPS.index(StepName.TICK) :]
_QUESTIONS: Final = (StepName.REMOTE_ERLANG, StepName.RUNTIME_TOOLS, StepName.REMOTE_ELIXIR)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteNode:
    """What is known of the remote node in the end; ``otp`` and ``elixir`` may be empty."""

    name: str
    otp: str = ""
    elixir: str = ""


async def examine_target(looking: Lookout, examination: Examination) -> RemoteNode | None:
    """Take all remote steps; ``None`` where nothing was found."""
    targets = await _discover(looking, examination)
    if not targets:
        examination.skip(_AFTER_DISCOVERY, "no target was found")
        return None
    approached = await _approach(looking, examination, targets)
    target = approached.target if approached else targets[0]
    cookie = await _cookie(looking, examination, target)
    if approached is None:
        examination.skip((StepName.COOKIE_CHECK, *_AFTER_COOKIE_CHECK), "no node was reached")
        return RemoteNode(name=target.node.name)
    try:
        return await _ask(looking, examination, approached, cookie)
    finally:
        approached.close()


async def _discover(looking: Lookout, examination: Examination) -> Sequence[Target]:
    """Find the targets; a refusal is a matter of rights, which have a step of their own."""
    stage = Stage(StepName.DISCOVERY)
    try:
        targets = await looking.service.discovery.targets()
    except RefusedError as error:
        examination.skip([StepName.DISCOVERY], "the lookup was refused")
        examination.add(Stage(StepName.RIGHTS).failed(error))
        return []
    except ErlconnectError as error:
        examination.add(stage.failed(error))
        examination.skip([StepName.RIGHTS], "the lookup failed for another reason")
        return []
    examination.add(stage.ok(_listed(targets)))
    examination.add(Stage(StepName.RIGHTS).ok("the lookup was answered"))
    return targets


def _listed(targets: Sequence[Target]) -> str:
    names = [str(one.node) if one.node.name else one.address for one in targets]
    return f"{len(targets)} target{'s' * (len(targets) > 1)}: {', '.join(names)}"


async def _approach(
    looking: Lookout, examination: Examination, targets: Sequence[Target]
) -> Approached | None:
    approached = None
    try:
        _, approached = await looking.service.discovery.first_of(targets)
        steps = steps_there(list(looking.stopwatch.phases), approached)
    except ErlconnectError as error:
        failure = Failure(error=error, target=targets[0])
        steps = steps_lost(list(looking.stopwatch.phases), failure)
    for step in steps:
        examination.add(step)
    return approached


async def _cookie(looking: Lookout, examination: Examination, target: Target) -> Cookie | None:
    stage = Stage(StepName.COOKIE)
    ask = not looking.service.choices.no_input
    try:
        found = await looking.service.cookies.fetch(target, ask=ask)
    except ErlconnectError as error:
        examination.add(stage.failed(error))
        return None
    if found.cookie is None:
        examination.add(stage.ok("passthrough: only your own node knows it"))
    else:
        examination.add(stage.ok(f"{found.source} has it ({found.cookie.origin})"))
    return found.cookie


async def _ask(
    looking: Lookout, examination: Examination, approached: Approached, cookie: Cookie | None
) -> RemoteNode:
    known = RemoteNode(
        name=approached.target.node.name, otp=release_by_flags(approached.knocked.flags)
    )
    if cookie is None:
        why = "there is no cookie to prove"
        examination.skip((StepName.COOKIE_CHECK, *_AFTER_COOKIE_CHECK), why)
        return known
    async with AsyncExitStack() as stack:
        stage = Stage(StepName.COOKIE_CHECK)
        try:
            connection = await stack.enter_async_context(looking.connection(approached, cookie))
        except ErlconnectError as error:
            examination.add(stage.failed(error))
            examination.skip(_AFTER_COOKIE_CHECK, "the node did not let us in")
            return known
        examination.add(stage.ok("both sides have proved it; the node sees us as hidden"))
        return await _converse(connection, examination, known)


async def _converse(
    connection: OwnConnection, examination: Examination, known: RemoteNode
) -> RemoteNode:
    stage = Stage(StepName.TICK)
    try:
        await connection.ping()
    except ErlconnectError as error:
        examination.add(stage.failed(error))
        examination.skip(_QUESTIONS, "the node answers nothing")
        return known
    examination.add(stage.ok("a tick went there, and what net_adm:ping asks was answered"))
    answers = await inquire(connection, examination)
    return known if answers is None else _completed(known, answers)


def _completed(known: RemoteNode, answers: Answers) -> RemoteNode:
    return RemoteNode(name=known.name, otp=answers.otp, elixir=answers.elixir)
