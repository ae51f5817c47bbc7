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
_COMPILE = """
    Read = fun Read(Text, Line) ->
        case erl_scan:tokens([], Text, Line) of
            {done, {ok, Tokens, Next}, Rest} ->
                {ok, Form} = erl_parse:parse_form(Tokens),
                [Form | Read(Rest, Next)];
            _ -> []
        end
    end,
    {ok, Module, Code} = compile:forms(Read(%s ++ "\\n", 1), [return_errors]),
    {module, Module} = code:load_binary(Module, atom_to_list(Module) ++ ".erl", Code),
    Module.
"""
_SAME = """
    Names = [Alias, node(), other@host],
    Terms = [Names, material:identifiers(Names), material:functions(Names), material:bytes(Names),
             material:map(Names, 20), material:inline(material:mixed(Names, 20), 10),
             material:inline(material:nested(Names), 70000)],
    lists:usort([mirror:same(Alias, Term) || Term <- Terms]).
"""


def load(node: ErlangNode, *modules: str) -> None:
    """Compile modules of this folder in ``node``; ``mirror`` is started too."""
    for module in modules:
        source = (_FOLDER / f"{module}.erl").read_text()
        text = source.replace("\\", "\\\\").replace('"', '\\"')
        assert node.evaluate(_COMPILE % f'"{text}"') == module
        if module == "mirror":
            assert node.evaluate("mirror:start().") == "ok"


@contextmanager
def mirrored(*options: str, **settings: Any) -> Iterator[Connected]:
    """What ``world.connected.connected`` gives, with ``mirror`` and ``material`` in both nodes."""
    with connected(*options, **settings) as world:
        for node in (world.remote, world.local):
            load(node, "mirror", "material")
        yield world


def assert_calls_work(world: Connected) -> None:
    """A short list of calls in both directions, each with its value."""
    assert world.call("net_adm:ping(Alias).") == "pong"
    assert world.call("erpc:call(Alias, erlang, node, []) =:= Alias.") == "true"
    assert world.call("rpc:call(Alias, erlang, node, []) =:= Alias.") == "true"
    from_there = f"erpc:call({world.caller}, erlang, node, []) =:= {world.caller}."
    assert world.remote.evaluate(from_there) == "true"
    assert world.remote.evaluate("{nodes(), nodes(hidden)}.").startswith("{[],[")
    assert world.call(_SAME) == "[same]"
