"""The group leader of a remote call: what the call prints comes here, as it prints it.

Requests for input are answered with an end of input, and in one case with an error, because the
shell of OTP 25 and older halts its node at an end of input that comes from an old group leader.
Source: "The Erlang I/O Protocol".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from erlconnect.client.calls import Returned, call
from erlconnect.distribution.control_messages import send
from erlconnect.distribution.etf import Atom, ImproperList, Pid
from erlconnect.errors import TimedOutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from erlconnect.client.connection import NodeConnection
    from erlconnect.distribution.etf import Term

_OK: Final = Atom("ok")
_EOF: Final = Atom("eof")
_TERMINATED: Final = (Atom("error"), Atom("terminated"))
_UNSUPPORTED: Final = (Atom("error"), Atom("enotsup"))
_UNKNOWN: Final = (Atom("error"), Atom("request"))
_ENCODINGS: Final = {"unicode": "utf-8", "latin1": "latin-1"}
_INPUT: Final = ("get_line", "get_chars", "get_password")
_FORMAT_SECONDS: Final = 30.0


class GroupLeader:
    """Answers I/O requests in their order; ``write`` gets the text. ``serve`` does the work."""

    def __init__(self, connection: NodeConnection, write: Callable[[str], None]) -> None:
        self._connection = connection
        self._write = write
        self._requests: asyncio.Queue[Term] = asyncio.Queue()
        self.pid = connection.new_pid(self._requests.put_nowait)

    async def serve(self) -> None:
        """Answer until it is cancelled, or the connection ends."""
        while True:
            match await self._requests.get():
                case ("io_request", Pid() as sender, reply_as, request):
                    reply = (Atom("io_reply"), reply_as, await self._answer(request))
                    await self._connection.send(*send(sender, reply))

    async def _answer(self, request: Term) -> Term:
        match request:
            case ("requests", list() as several):
                answer: Term = _OK
                for one in several:
                    answer = await self._answer_one(one)
                    # "The Erlang I/O Protocol": a list of requests stops at the first that fails.
                    if answer == _EOF or (isinstance(answer, tuple) and answer[0] == "error"):
                        break
                return answer
        return await self._answer_one(request)

    async def _answer_one(self, request: Term) -> Term:  # noqa: PLR0911 - one a kind
        match request:
            case (
                "put_chars",
                Atom() as encoding,
                Atom() as module,
                Atom() as function,
                list() as args,
            ):
                return await self._put_formatted(encoding, module, function, args)
            # Requests without an encoding are from before Unicode support and mean Latin-1.
            case ("put_chars", Atom() as module, Atom() as function, list() as args):
                return await self._put_formatted("latin1", module, function, args)
            case ("put_chars", Atom() as encoding, characters):
                return self._put(encoding, characters)
            case ("put_chars", characters):
                return self._put("latin1", characters)
            case ("get_until", *_):
                is_erlang_shell = request[-3:-1] == ("erl_scan", "tokens")
                return _TERMINATED if is_erlang_shell else _EOF
            case (Atom() as kind, *_) if kind in _INPUT:
                return _EOF
            case ("setopts", _):
                return _OK
            case "getopts":
                return [(Atom("binary"), Atom("false")), (Atom("encoding"), Atom("unicode"))]
            case ("get_geometry", _):
                return _UNSUPPORTED
        return _UNKNOWN

    def _put(self, encoding: str, characters: Term) -> Term:
        try:
            text = characters_of(characters, _ENCODINGS[encoding])
        except (KeyError, ValueError):
            return (Atom("error"), Atom("put_chars"))
        self._write(text)
        return _OK

    async def _put_formatted(
        self, encoding: str, module: str, function: str, args: list[Term]
    ) -> Term:
        """Have the node itself make the characters: that is its own code, and not ours."""
        try:
            outcome = await call(
                self._connection,
                module,
                function,
                args,
                group_leader=self.pid,
                seconds=_FORMAT_SECONDS,
            )
        except TimedOutError:
            # It prints something itself, for instance, and waits for us.
            return (Atom("error"), Atom("timeout"))
        if isinstance(outcome, Returned):
            return self._put(encoding, outcome.value)
        return (Atom("error"), (Atom("put_chars"), Atom(encoding), Atom(module)))


def characters_of(data: Term, encoding: str) -> str:
    """Return the text of ``unicode:chardata()``. Raises ``ValueError`` where it is none."""
    pieces: list[str] = []
    waiting: list[Term] = [data]
    undecoded = b""  # a character may begin in one binary and end in the next
    while waiting:
        one = waiting.pop()
        match one:
            case bytes():
                undecoded += one
                continue
            case list():
                waiting += reversed(one)
                continue
            case ImproperList():
                waiting += [one.tail, *reversed(one.elements)]
                continue
        pieces.append(undecoded.decode(encoding))
        undecoded = b""
        if not isinstance(one, int):
            raise ValueError("no characters")  # noqa: TRY004 - as what cannot be decoded
        pieces.append(chr(one))
    return "".join([*pieces, undecoded.decode(encoding)])
