"""The rule ``stop``: messages that would end or restart the remote node, on their way to it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from erlconnect.distribution.bounded_terms import Fun, Unread, is_atom
from erlconnect.distribution.control import REGISTERED_SENDS, SPAWN_REQUESTS
from erlconnect.distribution.etf import Atom, ImproperList, Reference
from erlconnect.guard import answers
from erlconnect.guard.answers import encode_term
from erlconnect.guard.calls import elements, head_of, named_call, spawned
from erlconnect.guard.message import Refused, Rewritten
from erlconnect.guard.rules import (
    STOP_CALL,
    STOP_EOF,
    STOP_HALT_ON_EOF,
    STOP_MESSAGE,
    STOP_TYPED,
    STOPPING_APPLICATIONS,
)
from erlconnect.guard.stop_calls import (
    stopping_call,
    stopping_in_term,
    stopping_in_text,
    stopping_in_tokens,
)

if TYPE_CHECKING:
    from erlconnect.guard.calls import Call
    from erlconnect.guard.message import Decision, Message, Span
    from erlconnect.guard.reads import ShellReads

STOP_NAMES: Final = (
    *("rex", "net_kernel", "init", "application_controller", "erl_signal_server", "kernel_sup"),
)
"""The registered processes that an order to stop can be sent to."""
_IEX: Final = ("iex", "Elixir.IEx")
_SIGNALS: Final = ("sigterm", "sigquit", "sigusr1")
_UNREADABLE: Final = "unreadable"


class StopRules:
    """Decides about the messages of one link to its remote node."""

    def __init__(self, reads: ShellReads) -> None:
        self._reads = reads

    def decide(self, message: Message) -> Decision:
        """Let the message pass, refuse it or change it."""
        if message.operation in SPAWN_REQUESTS:
            return self._spawn_request(message)
        to = message.addressee
        if to is None:
            return None
        if message.operation in REGISTERED_SENDS or to.name is not None:
            return _registered(message, to.name)
        if is_atom(head_of(message.payload), "io_reply"):
            return self._io_reply(message)
        return None

    def _spawn_request(self, message: Message) -> Decision:
        _, request, requester, *_ = message.control if len(message.control) > 5 else (0, 0, 0)  # noqa: PLR2004
        # ``erpc``, ``rpc`` of OTP 23 and later, and spawn/4 all arrive as spawn requests.
        call = spawned(message)
        found = _stopping(call)
        if found:
            return Refused(
                rule=STOP_CALL, what=found, answer=answers.spawn_failed(request, requester)
            )
        edits = [] if call is None else _halts_at_eof(message, call)
        if edits:
            return Rewritten(
                rule=STOP_HALT_ON_EOF, what=STOP_HALT_ON_EOF.what, edits=edits, told=False
            )
        return None

    def _io_reply(self, message: Message) -> Decision:
        match message.payload:
            case (_, Reference() as reference, result):
                pass
            case _:
                return None
        # The ``shell`` of OTP 25 and older halts its node at an end of input from a newer node.
        # An error ends the shell's process in place of the node.
        scans = self._reads.answered(reference)
        end_of_input = is_atom(result, "eof") or is_atom(head_of(result), "eof")
        if end_of_input and scans:
            text = (Atom("error"), Atom("terminated"))
            return Rewritten(rule=STOP_EOF, what=STOP_EOF.what, edits=[_whole(message, 2, text)])
        return _typed(message, result)


def _whole(message: Message, index: int, term: Any) -> tuple[int, int, bytes]:
    """Replace an element of the payload, and all behind it, which is nothing or not understood."""
    start = message.elements()[index][0] if index < len(message.elements()) else message.end
    return start, message.end, encode_term(term)


def _stopping(call: Call | None) -> str | None:
    """Return the function by which a call stops the node; ``unreadable`` if it cannot be read."""
    if call is None or isinstance(call.module, Unread) or isinstance(call.function, Unread):
        return _UNREADABLE
    return stopping_call(call.module, call.function, call.arguments)


def _halts_at_eof(message: Message, call: Call) -> list[tuple[int, int, bytes]]:
    """Find ``{on_eof, halt}`` in the options with which a remote IEx is started."""
    if call.module not in _IEX or not is_atom(call.function, "start") or call.span is None:
        return []
    options = message.elements(call.span)[:1]
    pairs = [pair for span in options for pair in message.elements(span)]
    edits = []
    for pair in pairs:
        match message.term(pair):
            case ("on_eof", "halt"):
                start, end = message.elements(pair)[1]
                # IEx 1.17 and later has its remote side halt at an end of input.
                # stop_evaluator is the default of IEx.
                edits.append((start, end, encode_term(Atom("stop_evaluator"))))
    return edits


def _registered(message: Message, name: Any) -> Decision:
    payload = message.payload
    # An order that cannot be read may be one to stop, so it must not pass.
    if name in STOP_NAMES and any(
        isinstance(part, Unread) for part in (payload, *elements(payload))
    ):
        return Refused(rule=STOP_MESSAGE, what=_UNREADABLE, answer=answers.call_failed(payload))
    if is_atom(name, "rex"):
        return _rex(payload)
    if is_atom(name, "net_kernel"):
        return _net_kernel(payload)
    found = _server_message(str(name), payload) if isinstance(name, Atom) else None
    if found:
        return Refused(rule=STOP_MESSAGE, what=found, answer=answers.call_failed(payload))
    return None


def _rex(payload: Any) -> Decision:
    match payload:
        case ("$gen_call", _, request) | ("$gen_cast", request) | (_, request):
            pass
        case _:
            return None
    found = None
    if head_of(request) in ("call", "block_call", "cast", "send_stdout_to_caller"):
        found = _stopping(named_call(request[1:]))
    if found:
        return Refused(rule=STOP_CALL, what=found, answer=answers.bad_rpc(payload))
    return None


def _net_kernel(payload: Any) -> Decision:
    """Decide about a spawn through ``net_kernel``, used by nodes without spawn requests."""
    match payload:
        case ("$gen_call", _, (Atom() as kind, *rest)) if kind.startswith("spawn"):
            found = _stopping(named_call(tuple(rest)))
            if found:
                return Refused(rule=STOP_CALL, what=found, answer=answers.call_failed(payload))
    return None


def _server_message(name: str, payload: Any) -> str | None:
    match name, payload:
        case "init", ("stop", *_):
            return "init:stop/1"
        case "init", ("stop" | "restart" | "reboot" as order) | ("restart" | "reboot" as order, *_):
            return f"init:{order}/0"
        case "application_controller", ("$gen_call", _, ("stop_application", Atom() as stopped)):
            return "application:stop/1" if stopped in STOPPING_APPLICATIONS else None
        case "erl_signal_server", ("notify" | "sync_notify", Atom() as signal):
            return f"erl_signal_server:{signal}" if signal in _SIGNALS else None
        case "kernel_sup", ("$gen_call", _, ("terminate_child", *_)):
            return "supervisor:terminate_child/2"
    return None


def _typed(message: Message, result: Any) -> Decision:
    """Decide about typed input, in each of the forms in which releases send it."""
    spans = message.elements()
    if len(spans) < 3:  # noqa: PLR2004
        return None
    decision: Decision = None
    match result:
        case bytes() as text:
            decision = _typed_text(stopping_in_text(text), spans[2])
        case list() as characters if characters and all(isinstance(one, int) for one in characters):
            text = "".join(map(_character, characters)).encode("utf-8", "replace")
            decision = _typed_text(stopping_in_text(text), spans[2])
        case ("ok", Fun(_, environment), *_):
            found = stopping_in_term(environment)
            decision = _typed_fun(message, found, message.elements(spans[2])[1])
        case ("ok", list() as tokens, *_):
            found = stopping_in_tokens(tokens) or stopping_in_term(tokens)
            decision = _typed_tokens(message, found, spans[2])
        case ("ok", ImproperList(tokens), *_):
            found = stopping_in_tokens(tokens) or stopping_in_term(tokens)
            decision = _typed_tokens(message, found, spans[2])
        case ("ok", forms, *_):
            decision = _typed_forms(message, stopping_in_term(forms), spans[2])
    return decision


def _character(number: int) -> str:
    return chr(number) if 0 <= number < sys.maxunicode else "?"


def _says(found: str) -> str:
    return f"erlconnect refused {found}: it ends the remote node. `--allow-stop` allows it."


def _typed_text(found: str | None, span: Span) -> Decision:
    if not found:
        return None
    text = f'"{_says(found)}"\n'.encode()
    return _rewritten(found, [(*span, encode_term(text))])


def _typed_tokens(message: Message, found: str | None, result: Span) -> Decision:
    """Replace the tokens by those of one string."""
    if not found:
        return None
    # The node evaluates these tokens: a string evaluates to itself, so the user sees the text.
    text = list(_says(found).encode())
    place = 1
    tokens = [(Atom("string"), place, text), (Atom("dot"), place)]
    return _rewritten(found, [(*message.elements(result)[1], encode_term(tokens))])


def _typed_forms(message: Message, found: str | None, result: Span) -> Decision:
    if not found:
        return None
    return _rewritten(found, [(*message.elements(result)[1], encode_term(_says(found).encode()))])


def _typed_fun(message: Message, found: str | None, fun: Span) -> Decision:
    """Replace the forms in the environment of IEx's fun; a text is a quoted expression, too."""
    if not found:
        return None
    kept = message.elements(fun)[4:]
    if not kept:
        return None
    forms = next(
        (span for span in kept if stopping_in_term(message.term(span))),
        kept[0],
    )
    text = encode_term(_says(found).encode())
    # NEW_FUN_EXT holds its own size, counted from behind the tag; it changes with the text.
    size = fun[1] - fun[0] - 1 + len(text) - (forms[1] - forms[0])
    return _rewritten(found, [(fun[0] + 1, fun[0] + 5, size.to_bytes(4)), (*forms, text)])


def _rewritten(found: str, edits: list[tuple[int, int, bytes]]) -> Rewritten:
    return Rewritten(rule=STOP_TYPED, what=found, edits=edits)
