"""One call to the remote node: its releases, and what Observer and Livebook look for there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.own_calls import atom, call, differs, otherwise_undefined
from erlconnect.errors import ErlconnectError
from erlconnect.session.examination.steps import Stage, StepName

if TYPE_CHECKING:
    from erlconnect.distribution.terms import Term
    from erlconnect.proxy.own_connection import OwnConnection
    from erlconnect.session.examination.steps import Examination

_QUESTIONS: Final = tuple(
    otherwise_undefined(form)
    for form in (
        call("erlang", "list_to_binary", call("erlang", "system_info", atom("otp_release"))),
        call("net_kernel", "get_net_ticktime"),
        differs(call("code", "which", atom("observer_backend")), atom("non_existing")),
        call("Elixir.System", "version"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the node said; a text is empty where there is no such thing."""

    otp: str
    tick_time: int | None
    runtime_tools: bool
    elixir: str


async def inquire(connection: OwnConnection, examination: Examination) -> Answers | None:
    """Ask, and take the three steps that the answers are about."""
    stage = Stage(StepName.REMOTE_ERLANG)
    try:
        answers = _understood(*await connection.evaluate(*_QUESTIONS))
    except ErlconnectError as error:
        examination.add(stage.failed(error))
        examination.skip((StepName.RUNTIME_TOOLS, StepName.REMOTE_ELIXIR), "nothing was learnt")
        return None
    ticking = f", net_ticktime {answers.tick_time} s" if answers.tick_time else ""
    examination.add(stage.ok(f"OTP {answers.otp}{ticking}"))
    _look_for_tools(answers, examination)
    _look_for_elixir(answers, examination)
    return answers


def _look_for_tools(answers: Answers, examination: Examination) -> None:
    stage = Stage(StepName.RUNTIME_TOOLS)
    if answers.runtime_tools:
        return examination.add(stage.ok("Observer finds what it needs there"))
    return examination.add(
        stage.note(
            "the node has no runtime_tools, which Observer, etop and dbg ask",
            remedy="Add :runtime_tools to extra_applications, or to the release.",
        )
    )


def _look_for_elixir(answers: Answers, examination: Examination) -> None:
    stage = Stage(StepName.REMOTE_ELIXIR)
    if answers.elixir:
        return examination.add(stage.ok(f"Elixir {answers.elixir}"))
    return examination.add(
        stage.note(
            "the node has no Elixir, which `iex --remsh` and Livebook ask",
            remedy="Take `erl -remsh`, which does not.",
        )
    )


def _understood(otp: Term, tick_time: Term, runtime_tools: Term, elixir: Term) -> Answers:
    return Answers(
        otp=_text(otp),
        tick_time=tick_time if isinstance(tick_time, int) else None,
        runtime_tools=runtime_tools == "true",
        elixir=_text(elixir),
    )


def _text(term: Term) -> str:
    return term.decode(errors="replace") if isinstance(term, bytes) else ""
