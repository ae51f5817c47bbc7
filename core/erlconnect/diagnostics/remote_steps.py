"""The steps of ``doctor`` on TARGET, from discovery to what its node answers.

The steps of a connection are read from the phases that the connector has timed, because it may try
several transports and targets: those of the attempt that succeeded, or of the one that failed.
"""

from __future__ import annotations

import ipaddress
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.diagnostics.otp_releases import release_by_flags
from erlconnect.diagnostics.steps import Step, StepName, StepStatus, StepTimer
from erlconnect.distribution.rpc import atom, call, differs, or_undefined
from erlconnect.errors import ErlconnectError, RefusedError, TimedOutError, UnreachableError
from erlconnect.session.plugin_resolver import DEFAULT_TRANSPORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from erlconnect.contract import Cookie, Target
    from erlconnect.diagnostics.steps import Report
    from erlconnect.distribution.etf import Term
    from erlconnect.proxy.node_client import NodeClient
    from erlconnect.proxy.timing import Span
    from erlconnect.session.connector import ConnectedTarget
    from erlconnect.session.inspection import InspectionSession

CONNECT_STEPS: Final = {
    StepName.TUNNEL: "transport",
    StepName.REMOTE_EPMD: "epmd",
    StepName.PORT: "connect",
    StepName.HANDSHAKE: "probe",
}
_NOT_ASKED: Final = "not asked, because the port is known"
REMOTE_STEPS: Final = (
    StepName.DISCOVERY,
    StepName.RIGHTS,
    *CONNECT_STEPS,
    StepName.COOKIE,
    StepName.COOKIE_CHECK,
    StepName.TICK,
    StepName.REMOTE_ERLANG,
    StepName.RUNTIME_TOOLS,
    StepName.REMOTE_ELIXIR,
)
_AFTER_DISCOVERY: Final = REMOTE_STEPS[2:]
_AFTER_COOKIE_CHECK: Final = REMOTE_STEPS[REMOTE_STEPS.index(StepName.TICK) :]
_QUERY_STEPS: Final = (StepName.REMOTE_ERLANG, StepName.RUNTIME_TOOLS, StepName.REMOTE_ELIXIR)
# One call with all of them; each becomes `undefined` on its own where its function is missing.
_QUERIES: Final = tuple(
    or_undefined(form)
    for form in (
        call("erlang", "list_to_binary", call("erlang", "system_info", atom("otp_release"))),
        call("net_kernel", "get_net_ticktime"),
        differs(call("code", "which", atom("observer_backend")), atom("non_existing")),
        call("Elixir.System", "version"),
    )
)
# Part of the message of a refusal: the machine was reached, and no firewall or route is missing.
_PORT_IS_CLOSED: Final = "refused the connection"
# Names that mean something inside Railway, mDNS or Kubernetes only.
_PRIVATE_DOMAINS: Final = (".internal", ".local", ".svc")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteNode:
    """What is known of the remote node in the end; ``otp`` and ``elixir`` may be empty."""

    name: str
    otp: str = ""
    elixir: str = ""


async def examine_target(inspection: InspectionSession, report: Report) -> RemoteNode | None:
    """Take all remote steps; return the node, or ``None`` where no target was found."""
    targets = await _discover(inspection, report)
    if not targets:
        report.skip(_AFTER_DISCOVERY, "no target was found")
        return None
    connected = await _connect(inspection, report, targets)
    # The cookie is fetched without a connection, too: a second fault shows in the same run.
    target = connected.target if connected else targets[0]
    cookie = await _cookie(inspection, report, target)
    if connected is None:
        report.skip((StepName.COOKIE_CHECK, *_AFTER_COOKIE_CHECK), "no node was reached")
        return RemoteNode(name=target.node.name)
    try:
        return await _check_cookie(inspection, report, connected, cookie)
    finally:
        connected.close()


async def _discover(inspection: InspectionSession, report: Report) -> Sequence[Target]:
    """Discover the targets; a refusal fails the step of the rights, and not that of discovery."""
    timer = StepTimer(StepName.DISCOVERY)
    try:
        targets = await inspection.context.discovery.targets()
    except RefusedError as error:
        report.skip([StepName.DISCOVERY], "the lookup was refused")
        report.add(StepTimer(StepName.RIGHTS).failed(error))
        return []
    except ErlconnectError as error:
        report.add(timer.failed(error))
        report.skip([StepName.RIGHTS], "the lookup failed for another reason")
        return []
    report.add(timer.ok(_listed(targets)))
    report.add(StepTimer(StepName.RIGHTS).ok("the lookup was answered"))
    return targets


def _listed(targets: Sequence[Target]) -> str:
    names = [str(one.node) if one.node.name else one.address for one in targets]
    return f"{len(targets)} target{'s' * (len(targets) > 1)}: {', '.join(names)}"


async def _connect(
    inspection: InspectionSession, report: Report, targets: Sequence[Target]
) -> ConnectedTarget | None:
    connected = None
    try:
        connected = await inspection.context.discovery.connect_first_of(targets)
        # A copy: later requests add phases to the same timer.
        steps = steps_passed(list(inspection.timer.phases), connected)
    except ErlconnectError as error:
        failure = ConnectFailure(error=error, target=targets[0])
        steps = steps_failed(list(inspection.timer.phases), failure)
    for step in steps:
        report.add(step)
    return connected


async def _cookie(inspection: InspectionSession, report: Report, target: Target) -> Cookie | None:
    timer = StepTimer(StepName.COOKIE)
    ask = not inspection.context.config.no_input
    try:
        found = await inspection.context.cookies.fetch(target, ask=ask)
    except ErlconnectError as error:
        report.add(timer.failed(error))
        return None
    if found.cookie is None:
        report.add(timer.ok("passthrough: only your own node knows it"))
    else:
        report.add(timer.ok(f"{found.source} has it ({found.cookie.origin})"))
    return found.cookie


async def _check_cookie(
    inspection: InspectionSession,
    report: Report,
    connected: ConnectedTarget,
    cookie: Cookie | None,
) -> RemoteNode:
    known = RemoteNode(
        name=connected.target.node.name, otp=release_by_flags(connected.probe_result.flags)
    )
    if cookie is None:
        why = "there is no cookie to prove"
        report.skip((StepName.COOKIE_CHECK, *_AFTER_COOKIE_CHECK), why)
        return known
    # Not `async with` alone: an error while it connects fails this step, and a later one does not.
    async with AsyncExitStack() as stack:
        timer = StepTimer(StepName.COOKIE_CHECK)
        try:
            connection = await stack.enter_async_context(inspection.connection(connected, cookie))
        except ErlconnectError as error:
            report.add(timer.failed(error))
            report.skip(_AFTER_COOKIE_CHECK, "the node did not let us in")
            return known
        report.add(timer.ok("both sides have proved it; the node sees us as hidden"))
        return await _ask_node(connection, report, known)


async def _ask_node(connection: NodeClient, report: Report, known: RemoteNode) -> RemoteNode:
    timer = StepTimer(StepName.TICK)
    try:
        await connection.ping()
    except ErlconnectError as error:
        report.add(timer.failed(error))
        report.skip(_QUERY_STEPS, "the node answers nothing")
        return known
    report.add(timer.ok("a tick went there, and what net_adm:ping asks was answered"))
    answers = await query_node(connection, report)
    return known if answers is None else _completed(known, answers)


def _completed(known: RemoteNode, answers: NodeInfo) -> RemoteNode:
    return RemoteNode(name=known.name, otp=answers.otp, elixir=answers.elixir)


async def query_node(connection: NodeClient, report: Report) -> NodeInfo | None:
    """Ask the node in one call, and take the three steps that the answers are about."""
    timer = StepTimer(StepName.REMOTE_ERLANG)
    try:
        answers = _node_info(*await connection.evaluate(*_QUERIES))
    except ErlconnectError as error:
        report.add(timer.failed(error))
        report.skip((StepName.RUNTIME_TOOLS, StepName.REMOTE_ELIXIR), "nothing was learnt")
        return None
    ticking = f", net_ticktime {answers.tick_time} s" if answers.tick_time else ""
    report.add(timer.ok(f"OTP {answers.otp}{ticking}"))
    _check_tools(answers, report)
    _check_elixir(answers, report)
    return answers


def _check_tools(answers: NodeInfo, report: Report) -> None:
    timer = StepTimer(StepName.RUNTIME_TOOLS)
    if answers.runtime_tools:
        return report.add(timer.ok("Observer finds what it needs there"))
    return report.add(
        timer.note(
            "the node has no runtime_tools, which Observer, etop and dbg ask",
            remedy="Add :runtime_tools to extra_applications, or to the release.",
        )
    )


def _check_elixir(answers: NodeInfo, report: Report) -> None:
    timer = StepTimer(StepName.REMOTE_ELIXIR)
    if answers.elixir:
        return report.add(timer.ok(f"Elixir {answers.elixir}"))
    return report.add(
        timer.note(
            "the node has no Elixir, which `iex --remsh` and Livebook ask",
            remedy="Take `erl -remsh`, which does not.",
        )
    )


def _node_info(otp: Term, tick_time: Term, runtime_tools: Term, elixir: Term) -> NodeInfo:
    return NodeInfo(
        otp=_text(otp),
        tick_time=tick_time if isinstance(tick_time, int) else None,
        runtime_tools=runtime_tools == "true",
        elixir=_text(elixir),
    )


def _text(term: Term) -> str:
    # Anything but a binary is the `undefined` of a query that failed.
    return term.decode(errors="replace") if isinstance(term, bytes) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """The node's answers; a text is empty, and ``tick_time`` (s) ``None``, where it gave none."""

    otp: str
    tick_time: int | None
    runtime_tools: bool
    elixir: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectFailure:
    """The error that connecting ended with, and the target that it was about."""

    error: ErlconnectError
    target: Target


def steps_passed(phases: Sequence[Span], connected: ConnectedTarget) -> Iterator[Step]:
    """Return the steps of a connection that reached the node."""
    taken = _last_attempt(phases)
    result = connected.probe_result
    releases = release_by_flags(result.flags)
    by_flags = f", OTP {releases} by its flags" if releases else ""
    where = f"{connected.target.address}:{connected.port}"
    seen = {
        StepName.TUNNEL: f"{connected.transport} is open",
        StepName.REMOTE_EPMD: f"it knows {connected.target.node.name} at port {connected.port}",
        StepName.PORT: f"{where} accepts connections",
        StepName.HANDSHAKE: f"{connected.target.node} answers{by_flags}",
    }
    for name, phase in CONNECT_STEPS.items():
        yield _passed(name, [one for one in taken if one.name == phase], seen[name])


def steps_failed(phases: Sequence[Span], failure: ConnectFailure) -> Iterator[Step]:
    """Return the steps of a connection that failed at one of them; the rest is skipped."""
    failed_phase = _failed_phase(phases, failure.error)
    taken = _attempt_of(phases, failed_phase)
    failed = False
    for name, phase in CONNECT_STEPS.items():
        here = [one for one in taken if one.name == phase]
        if failed:
            yield _skipped(name)
        elif failed_phase is None or failed_phase.name == phase:
            failed = True
            transport = taken[0].detail if taken else ""
            remedy = remedy_of(failure.error, failure.target, transport)
            yield _failed(name, here, failure.error, remedy)
        else:
            yield _passed(name, here, f"{here[-1].detail if here else phase} is there")


def _passed(name: StepName, taken: Sequence[Span], seen: str) -> Step:
    seconds = sum(phase.seconds for phase in taken)
    if not taken:
        return Step(name=name, status=StepStatus.SKIPPED, seconds=0.0, seen=_NOT_ASKED)
    if taken[-1].error:
        # The port was known, nothing answered there, and epmd was asked for another one.
        seen = f"not answered: {taken[-1].error}"
        return Step(name=name, status=StepStatus.NOTE, seconds=seconds, seen=seen)
    return Step(name=name, status=StepStatus.OK, seconds=seconds, seen=seen)


def _failed(name: StepName, taken: Sequence[Span], error: ErlconnectError, remedy: str) -> Step:
    return Step(
        name=name,
        status=StepStatus.FAILED,
        seconds=sum(phase.seconds for phase in taken),
        seen=error.message,
        remedy=remedy,
        error=error,
    )


def _skipped(name: StepName) -> Step:
    seen = "the step before it failed"
    return Step(name=name, status=StepStatus.SKIPPED, seconds=0.0, seen=seen)


def _failed_phase(phases: Sequence[Span], error: BaseException | None) -> Span | None:
    """Return the phase that ended with ``error``, or with one of its causes."""
    # Errors are raised anew in words for people; the phase may have ended with the cause.
    while error:
        for phase in phases:
            if phase.error is error and phase.name in CONNECT_STEPS.values():
                return phase
        error = error.__cause__
    return None


def _attempt_of(phases: Sequence[Span], failed_phase: Span | None) -> list[Span]:
    """Return the phases of one target and transport: from its ``transport`` to the next one."""
    attempts: list[list[Span]] = []
    for phase in phases:
        # The connector opens a transport once an attempt, before anything else.
        if phase.name == "transport" or not attempts:
            attempts.append([])
        attempts[-1].append(phase)
    return next((one for one in attempts if failed_phase in one), [])


def _last_attempt(phases: Sequence[Span]) -> list[Span]:
    # The attempts before the last one have failed.
    opened = [number for number, phase in enumerate(phases) if phase.name == "transport"]
    return list(phases)[opened[-1] :]


def remedy_of(error: ErlconnectError, target: Target, transport: str) -> str:
    """Return the remedy of ``error``; for a silent private address, how to reach it."""
    direct = transport == DEFAULT_TRANSPORT.name
    unreachable = isinstance(error, (UnreachableError, TimedOutError))
    if direct and unreachable and _PORT_IS_CLOSED not in error.message and _is_private(target):
        return (
            f"{target.address} is an address of a private network, and nothing on this machine "
            "leads there: join the network (a VPN), or go through a command inside it, e.g. "
            "`--via 'ssh -W %h:%p bastion'`."
        )
    return error.remedy


def _is_private(target: Target) -> bool:
    """Return whether the address means something inside one network only."""
    try:
        # An IPv6 address may have a zone behind "%" (RFC 4007, section 11).
        numeric = ipaddress.ip_address(target.address.partition("%")[0])
    except ValueError:
        return target.address.endswith(_PRIVATE_DOMAINS)
    return numeric.is_private and not numeric.is_loopback
