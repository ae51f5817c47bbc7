"""The rules: what the guard refuses, why, and how to allow it. One table, from which docs are made.

The code that recognises such messages is in ``stop``, ``inbound`` and ``malformed``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Group = Literal["stop", "inbound", "terms"]
Direction = Literal["outward", "inward", "both"]
ALLOW_STOP: Final = (
    "If it is meant, allow it with `--allow-stop`, or `allow-stop = true` in the profile."
)
INBOUND_FULL: Final = (
    'If the remote node may run code here, allow it with `--inbound full`, or `inbound = "full"` '
    "in the profile."
)
NO_WAY: Final = (
    "Nothing allows it: a node that means well sends no such bytes. Look at the remote node."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; ``what`` is the stable word for events in which no function is named."""

    group: Group
    direction: Direction
    what: str
    refuses: str
    prevents: str
    answer: str
    remedy: str


STOP_CALL: Final = Rule(
    group="stop",
    direction="outward",
    what="call",
    refuses="A call of a function that ends or restarts the node, by spawn request, `erpc`, `rpc`, "
    "or a server of OTP that calls it; also as an argument of `apply`, `spawn` and their like, "
    "and in funs and code that are sent to be evaluated",
    prevents="`erpc:call(Node, init, stop, [])` in a script that was meant for a node at home",
    answer="`erpc:call` raises `{erpc, refused_by_erlconnect}`, `rpc:call` returns `{badrpc, "
    "{'EXIT', "
    "refused_by_erlconnect}}`, through `rex` `{badrpc, refused_by_erlconnect}`; a spawn request "
    "fails with that reason",
    remedy=ALLOW_STOP,
)
STOP_MESSAGE: Final = Rule(
    group="stop",
    direction="outward",
    what="message",
    refuses="A message to `init`, `application_controller` or `erl_signal_server` that ends the "
    "node",
    prevents="`{init, Node} ! {stop, normal}`, and `application:stop(kernel)` from afar",
    answer="A call gets `{error, refused_by_erlconnect}`; a plain message has no answer",
    remedy=ALLOW_STOP,
)
STOP_TYPED: Final = Rule(
    group="stop",
    direction="outward",
    what="typed",
    refuses="An expression with such a call that is typed into a remote shell of Erlang or Elixir",
    prevents="`q().` or `System.halt()` in the belief that it ends the local shell",
    answer="The expression's value is a text that says what was refused",
    remedy=ALLOW_STOP,
)
STOP_HALT_ON_EOF: Final = Rule(
    group="stop",
    direction="outward",
    what="halt-at-end-of-input",
    refuses="The order of `iex --remsh` to halt the remote node when its input ends; it becomes "
    "IEx's "
    "own default, which ends the shell",
    prevents="`echo '1 + 1' | iex --remsh NODE`, a script without a terminal, a closed pipe",
    answer="None is needed: `iex` ends with exit code 0",
    remedy=ALLOW_STOP,
)
STOP_EOF: Final = Rule(
    group="stop",
    direction="outward",
    what="end-of-input",
    refuses="The end of input as an answer to the shell of Erlang, which halts its node on it "
    "where it is "
    "of OTP 25 or older and the local node is newer",
    prevents="`erl -remsh NODE` with a pipe that ends",
    answer="The remote shell gets `{error, terminated}`, and ends",
    remedy=ALLOW_STOP,
)
INBOUND_SPAWN: Final = Rule(
    group="inbound",
    direction="inward",
    what="spawn",
    refuses="Spawn requests, and so `erpc` and `spawn`",
    prevents="A remote node that runs `os:cmd/1` here",
    answer="The request fails with `refused_by_erlconnect`",
    remedy=INBOUND_FULL,
)
INBOUND_NAME: Final = Rule(
    group="inbound",
    direction="inward",
    what="registered",
    refuses="Messages to registered processes, but for those that have to come: `net_kernel`'s "
    "`is_auth`, "
    "I/O requests to `user`, and log events without functions but those by which OTP words its "
    "reports",
    prevents="Calls through `rex`, `code_server`, `application_controller`, `init` and their like",
    answer="A call through `rex` returns `{badrpc, refused_by_erlconnect}`, another call "
    "`{error, refused_by_erlconnect}`",
    remedy=INBOUND_FULL,
)
INBOUND_IO: Final = Rule(
    group="inbound",
    direction="inward",
    what="io-request",
    refuses="I/O requests that name a function to be called here, unless it is one of OTP's or "
    "IEx's own",
    prevents='`{put_chars, unicode, os, cmd, ["..."]}`, which a group leader applies at once',
    answer="`{error, refused_by_erlconnect}`",
    remedy=INBOUND_FULL,
)
INBOUND_SYSTEM: Final = Rule(
    group="inbound",
    direction="inward",
    what="system-process",
    refuses="Calls, casts, orders and exit signals to processes with the numbers of the system's "
    "own, which are below 64",
    prevents="A message to the pid of `code_server`, which the remote node guessed",
    answer="None: nobody who means well waits for one",
    remedy=INBOUND_FULL,
)
TERMS_MALFORMED: Final = Rule(
    group="terms",
    direction="both",
    what="malformed-term",
    refuses="Encodings that crash or confuse decoders: references without words, terms in place of "
    "the numbers and names of funs and functions",
    prevents="Bytes that end a virtual machine of an OTP that is not yet mended",
    answer="The link ends",
    remedy=NO_WAY,
)
RULES: Final = (
    *(STOP_CALL, STOP_MESSAGE, STOP_TYPED, STOP_HALT_ON_EOF, STOP_EOF),
    *(INBOUND_SPAWN, INBOUND_NAME, INBOUND_IO, INBOUND_SYSTEM),
    TERMS_MALFORMED,
)
"""All rules, in the order of the documentation."""
STOPPING: Final[dict[tuple[str, str], tuple[int, ...]]] = {
    ("init", "stop"): (0, 1),
    ("init", "restart"): (0, 1),
    ("init", "reboot"): (0,),
    ("erlang", "halt"): (0, 1, 2),
    ("c", "q"): (0,),
    ("shell_default", "q"): (0,),
    ("Elixir.System", "halt"): (0, 1),
    ("Elixir.System", "stop"): (0, 1),
    ("Elixir.System", "restart"): (0,),
}
"""The functions that end or restart their node, with their arities."""
STOPPING_APPLICATIONS: Final = ("kernel", "stdlib")
"""A node cannot run without these; ``application:stop/1`` of them is refused."""
APPLICATION_STOPS: Final = (
    ("application", "stop"),
    ("Elixir.Application", "stop"),
)
"""The functions that stop an application by its name."""
STOPPING_LOCALS: Final = ("halt", "q")
"""The functions of ``STOPPING`` that are called without a module in Erlang or its shell."""


def rules_table() -> str:
    """Return the table of docs/explanation/safety.md, in Markdown."""
    lines = ["| rule | refuses | prevents for instance | answer |", "|---|---|---|---|"]
    lines += [
        f"| `{rule.group}`: `{rule.what}` | {rule.refuses}. | {rule.prevents}. | {rule.answer}. |"
        for rule in RULES
    ]
    return "\n".join(lines)
