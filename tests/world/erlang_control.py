"""How tests evaluate Erlang in a node without touching its distribution.

The node connects to a UNIX socket of the test's (so it works from a chroot and from a network
namespace too); expressions go one way, printed results the other, each with a 4-byte length.
A node whose test is gone halts by itself.
"""

from __future__ import annotations

import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

# The reader notices the test's end while an evaluation still runs. One process evaluates
# everything, so its monitors and messages live on from one evaluation to the next.
LOOP: Final = r"""
ControlEvaluate = fun(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text),
    {ok, Expressions} = erl_parse:parse_exprs(Tokens),
    {value, Value, _} = erl_eval:exprs(Expressions, erl_eval:new_bindings()),
    io_lib:format("~0tp", [Value])
end,
ControlAnswer = fun(Text) ->
    try [$+, ControlEvaluate(Text)]
    catch Class:Reason:Stack -> [$-, io_lib:format("~0tp", [{Class, Reason, Stack}])]
    end
end,
spawn(fun() ->
    {ok, Control} = gen_tcp:connect({local, os:getenv("CONTROL_SOCKET")}, 0,
        [local, binary, {packet, 4}, {active, false}]),
    Evaluator = spawn_link(fun Loop() ->
        receive {control_request, Request} ->
            Answer = ControlAnswer(unicode:characters_to_list(Request)),
            ok = gen_tcp:send(Control, unicode:characters_to_binary(Answer)),
            Loop()
        end
    end),
    (fun Read() ->
        case gen_tcp:recv(Control, 0) of
            {ok, Request} -> Evaluator ! {control_request, Request}, Read();
            {error, _} -> halt(0, [{flush, false}])
        end
    end)()
end).
"""


class Control:
    """The test's end of one node's control socket, in a folder that the node can see."""

    def __init__(self, root: Path) -> None:
        """``root`` is what the node sees as ``/``."""
        self._folder = tempfile.TemporaryDirectory(prefix="control-", dir=root / "tmp")
        path = Path(self._folder.name) / "socket"
        self.path_in_node = Path("/", path.relative_to(root))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._connection: socket.socket | None = None
        self._asking = threading.Lock()
        self._awaited = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def accept(self, timeout: float) -> bool:
        """Wait until the node has connected; say whether it has."""
        self._listener.settimeout(timeout)
        try:
            self._connection, _ = self._listener.accept()
        except TimeoutError:
            return False
        return True

    def ask(self, expressions: str, timeout: float) -> tuple[bool, str]:
        """Whether the evaluation worked, and the printed value or exception."""
        with self._asking:
            assert self._connection is not None
            assert not self._awaited, f"this has not been answered yet: {self._awaited}"
            self._awaited = expressions
            self._connection.settimeout(timeout)
            request = expressions.encode()
            self._connection.sendall(len(request).to_bytes(4, "big") + request)
            answer = self._read(int.from_bytes(self._read(4), "big")).decode()
            self._awaited = ""
            return answer[0] == "+", answer[1:]

    def close(self) -> None:
        """Close the socket, upon which the node halts, and remove the folder."""
        if self._connection is not None:
            self._connection.close()
        self._listener.close()
        self._folder.cleanup()

    def _read(self, size: int) -> bytes:
        assert self._connection is not None
        data = b""
        while len(data) < size:
            more = self._connection.recv(size - len(data))
            if not more:
                raise ConnectionError("the node closed its control socket")
            data += more
        return data
