"""Two connected nodes with the Erlang modules of this folder in both, and what must work then.

Knows how a module gets into a node; what the modules do is written in them.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from world.connected import connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.connected import Connected
    from world.erlang import ErlangNode

_FOLDER = Path(__file__).parent
_COMPILED = """
    File = filename:join(os:getenv("HOME"), "%s.erl"),
    ok = file:write_file(File, unicode:characters_to_binary(%s)),
    {ok, _, Code} = compile:file(File, [binary, return_errors]),
    base64:encode_to_string(Code).
"""
_SAME = """
    Names = [Alias, node(), other@host],
    Terms = [Names, material:identifiers(Names), material:functions(Names), material:bytes(Names),
             material:map(Names, 20), material:inline(material:mixed(Names, 20), 10),
             material:inline(material:nested(Names), 70000)],
    lists:usort([mirror:same(Alias, Term) || Term <- Terms]).
"""


def load(
    module: str, *nodes: ErlangNode, folder: Path = _FOLDER, beside: ErlangNode | None = None
) -> None:
    """Compile a module of ``folder`` in the oldest node and load it in all: they share its funs.

    ``beside`` is a node that has it already, from the oldest then.
    """
    oldest = min((*nodes, *([beside] if beside else [])), key=release_of)
    code = compiled(module, oldest, folder)
    for node in nodes:
        loaded = f'code:load_binary({module}, "{module}.erl", base64:decode({code})).'
        assert node.evaluate(loaded) == f"{{module,{module}}}"


def compiled(module: str, node: ErlangNode, folder: Path = _FOLDER) -> str:
    """The code of a module of ``folder``, in base64 as Erlang prints it."""
    source = (folder / f"{module}.erl").read_text()
    text = source.replace("\\", "\\\\").replace('"', '\\"')
    return node.evaluate(_COMPILED % (module, f'"{text}"'))


def load_mirror(*nodes: ErlangNode, beside: ErlangNode | None = None) -> None:
    """Load ``mirror`` and what it needs, and start ``mirror``."""
    for module in ("portable", "mirror", "material"):
        load(module, *nodes, beside=beside)
    for node in nodes:
        assert node.evaluate("mirror:start().") == "ok"


@contextmanager
def mirrored(*options: str, **settings: Any) -> Iterator[Connected]:
    """What ``world.connected.connected`` gives, with ``mirror`` and ``material`` in both nodes.

    The remote node may call the local one, as it does in what these modules do.
    """
    with connected("--inbound", "full", *options, **settings) as world:
        load_mirror(world.remote, world.local)
        yield world


def release_of(node: ErlangNode) -> str:
    """The OTP release as the node says it: an older one's code runs in newer ones."""
    return node.evaluate("erlang:system_info(otp_release).").strip('"')


def assert_calls_work(world: Connected) -> None:
    """A short list of calls in both directions, each with its value."""
    assert world.call("net_adm:ping(Alias).") == "pong"
    assert world.call("erpc:call(Alias, erlang, node, []) =:= Alias.") == "true"
    assert world.call("rpc:call(Alias, erlang, node, []) =:= Alias.") == "true"
    from_there = f"erpc:call({world.caller}, erlang, node, []) =:= {world.caller}."
    assert world.remote.evaluate(from_there) == "true"
    assert world.remote.evaluate("{nodes(), nodes(hidden)}.").startswith("{[],[")
    assert world.call(_SAME) == "[same]"


def assert_reconnects(world: Connected) -> None:
    """The link ends and comes again, three times."""
    again = "disconnect_node(Alias), net_adm:ping(Alias)."
    assert [world.call(again) for _ in range(3)] == ["pong"] * 3
