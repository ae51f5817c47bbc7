"""The rule ``inbound``: messages that would make the local node run code for the remote one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from erlconnect.distribution.bounded_terms import Export, Fun, Unread, is_atom
from erlconnect.distribution.control import SPAWN_REQUESTS, Operation
from erlconnect.distribution.etf import Atom, Pid, Reference
from erlconnect.guard import answers
from erlconnect.guard.calls import elements, head_of, spawned, subterms
from erlconnect.guard.message import Refused
from erlconnect.guard.rules import INBOUND_IO, INBOUND_NAME, INBOUND_SPAWN, INBOUND_SYSTEM

if TYPE_CHECKING:
    from collections.abc import Callable

    from erlconnect.guard.message import Decision, Message
    from erlconnect.guard.reads import ShellReads

CALL_HEADS: Final = ("$gen_call", "$gen_cast", "code_call", "system", "stop")
"""With these a message begins that a process of the system may take for an order."""
LAST_SYSTEM_PROCESS: Final = 64
"""The processes of ``kernel`` and the loader have lower numbers, in every release."""
_EXITS: Final = (
    *(Operation.EXIT2, Operation.EXIT2_TT),
    *(Operation.PAYLOAD_EXIT2, Operation.PAYLOAD_EXIT2_TT),
)
_ALTACT_EXIT: Final = 16
# The functions of I/O requests. What OTP and IEx name in theirs makes text or splits it.
_MAKES_TEXT: Final = {
    *(("io_lib", name) for name in ("format", "fwrite", "write", "print", "nl", "format_prompt")),
}
_READS: Final = {
    *(("erl_scan", name) for name in ("tokens",)),
    *(
        ("io_lib", name)
        for name in ("fread", "collect_line", "collect_chars", "collect_line_no_eol")
    ),
    ("Elixir.IEx.Server", "__parse__"),
}
_SCANNER_FUNS: Final = {("erl_scan", "reserved_word"), ("erl_scan", "f_reserved_word")}
_EXPANDS: Final = {"Elixir.IEx.Autocomplete", "Elixir.IEx.Server", "user_drv", "edlin_expand"}
_PLAIN_REQUESTS: Final = (
    *("get_chars", "get_line", "get_password", "get_geometry", "getopts", "columns", "rows"),
)
_REPORT_CALLBACKS: Final = {
    *(("logger", "format_otp_report"), ("logger", "format_report"), ("proc_lib", "report_cb")),
    *(("gen_server", "format_log"), ("gen_statem", "format_log"), ("gen_event", "format_log")),
    *(("supervisor", "format_log"), ("application_controller", "format_log")),
    *(("gen_fsm", "format_log"), ("ssl_logger", "format"), ("supervisor_bridge", "format_log")),
}
_LOGGERS: Final = ("logger_proxy", "logger")
_TERMINALS: Final = ("user", "standard_error", "standard_io")


class InboundRules:
    """Decides about the messages of one link to its local node."""

    def __init__(self, reads: ShellReads, *, guarded: bool) -> None:
        self._reads = reads
        self._guarded = guarded

    def decide(self, message: Message) -> Decision:
        """Let the message pass or refuse it; remember what a shell waits for."""
        payload = message.payload
        is_io = is_atom(head_of(payload), "io_request")
        # Also without ``guarded``: the rule ``stop`` needs to know which request a shell waits for.
        if is_io:
            self._remember(payload)
        return _guarded(message, is_io=is_io) if self._guarded else None

    def _remember(self, payload: Any) -> None:
        match payload:
            case (_, _, Reference() as reference, request):
                self._reads.asked(reference, request)


def _guarded(message: Message, *, is_io: bool) -> Decision:
    if message.operation in SPAWN_REQUESTS:
        return _spawn(message)
    if message.operation in _EXITS or _is_exit(message):
        return _exit(message)
    to = message.addressee
    if to is None:
        return None
    if to.name is not None and not (is_io and to.name in _TERMINALS):
        return _registered(str(to.name), message.payload)
    return _io(message.payload) if is_io else _order(to.process, message.payload)


def _is_exit(message: Message) -> bool:
    if message.operation != Operation.ALTACT_SIG_SEND or len(message.control) < 2:  # noqa: PLR2004
        return False
    flags = message.control[1]
    return isinstance(flags, int) and bool(flags & _ALTACT_EXIT)


def _exit(message: Message) -> Decision:
    # EXIT2 is {8, From, To, Reason}; with ALTACT_SIG_SEND, flags stand before From.
    pids = [term for term in message.control[1:] if isinstance(term, Pid | Atom)]
    to = pids[1] if len(pids) > 1 else None
    if isinstance(to, Atom) or _is_system(to):
        return Refused(rule=INBOUND_SYSTEM, what="exit-signal")
    return None


def _is_system(process: Any) -> bool:
    return isinstance(process, Pid) and process.id < LAST_SYSTEM_PROCESS and not process.serial


def _spawn(message: Message) -> Decision:
    _, request, requester, *_ = (*message.control, None, None)
    call = spawned(message)
    what = INBOUND_SPAWN.what
    if call and isinstance(call.module, Atom) and isinstance(call.function, Atom):
        arity = len(elements(call.arguments))
        what = f"{call.module.removeprefix('Elixir.')}:{call.function}/{arity}"
    return Refused(rule=INBOUND_SPAWN, what=what, answer=answers.spawn_failed(request, requester))


def _order(process: Any, payload: Any) -> Decision:
    """Decide about a message to a process that may belong to the system."""
    head = head_of(payload)
    if isinstance(head, Atom) and head in CALL_HEADS and _is_system(process):
        return Refused(
            rule=INBOUND_SYSTEM, what=INBOUND_SYSTEM.what, answer=answers.call_failed(payload)
        )
    return None


def _registered(name: str, payload: Any) -> Decision:
    match name, payload:
        # The request of ``net_adm:ping``; it runs nothing.
        case "net_kernel", ("$gen_call", _, ("is_auth", _)):
            return None
        case "rex", _:
            return Refused(rule=INBOUND_NAME, what=name, answer=answers.bad_rpc(payload))
    if name in _LOGGERS and is_atom(head_of(payload), "log") and _logs_text(payload):
        return None
    return Refused(rule=INBOUND_NAME, what=name, answer=answers.call_failed(payload))


def _logs_text(event: Any) -> bool:
    """Return whether a log event has no function but those by which OTP words its reports."""
    return all(
        isinstance(each, Export) and (each.module, each.function) in _REPORT_CALLBACKS
        for each in subterms(event)
        if isinstance(each, Export | Fun | Unread)
    )


def _io(payload: Any) -> Decision:
    request = payload[3] if len(payload) > 3 else None  # noqa: PLR2004
    what = _forbidden_request(request)
    if what is None:
        return None
    return Refused(rule=INBOUND_IO, what=what, answer=answers.io_failed(payload))


def _forbidden_request(request: Any) -> str | None:
    """Return what an I/O request would run here; ``None`` where that is harmless."""
    waiting = [request]
    while waiting:
        each = waiting.pop()
        kind = head_of(each) or each
        if isinstance(kind, Atom) and kind == "requests" and isinstance(each, tuple):
            waiting.extend(elements(each[1] if len(each) > 1 else None))
            continue
        judge = _JUDGES.get(kind) if isinstance(kind, Atom) else None
        if judge is None and not (isinstance(kind, Atom) and kind in _PLAIN_REQUESTS):
            return INBOUND_IO.what
        found = judge(each) if judge else None
        if found:
            return found
    return None


def _put_chars(request: Any) -> str | None:
    if not isinstance(request, tuple) or len(request) < 4:  # noqa: PLR2004 - text alone
        return None
    # {put_chars, Encoding, Module, Function, Args} has the I/O server call that function.
    module, function, arguments = request[-3:]
    if (module, function) in _MAKES_TEXT and not _has_functions(arguments, frozenset()):
        return None
    return _named(module, function, arguments)


def _get_until(request: Any) -> str | None:
    if not isinstance(request, tuple) or len(request) < 5:  # noqa: PLR2004
        return INBOUND_IO.what
    # {get_until, Encoding, Prompt, Module, Function, Args}: the reader calls the function.
    prompt, module, function, arguments = request[-4:]
    harmless = (module, function) in _READS and not _has_functions(arguments, _SCANNER_FUNS)
    if harmless and not _has_functions(prompt, frozenset()):
        return None
    return _named(module, function, arguments)


def _setopts(request: Any) -> str | None:
    options = elements(request[1] if isinstance(request, tuple) and len(request) > 1 else None)
    for option in options:
        match option:
            case ("expand_fun", Fun(module, _) | Export(module, _, _)) if module in _EXPANDS:
                continue
        # The local terminal would call such a function whenever the user asks for a completion.
        if any(isinstance(each, Fun | Export | Unread) for each in subterms(option)):
            return "expand_fun"
    return None


_JUDGES: Final[dict[str, Callable[[Any], str | None]]] = {
    "put_chars": _put_chars,
    "get_until": _get_until,
    "setopts": _setopts,
}


def _has_functions(term: Any, allowed: frozenset[tuple[str, str]] | set[tuple[str, str]]) -> bool:
    for each in subterms(term):
        if isinstance(each, Fun):
            return True
        if isinstance(each, Export) and (each.module, each.function) not in allowed:
            return True
    return False


def _named(module: Any, function: Any, arguments: Any) -> str:
    if not (isinstance(module, Atom) and isinstance(function, Atom)):
        return INBOUND_IO.what
    return f"{module.removeprefix('Elixir.')}:{function}/{len(elements(arguments))}"
