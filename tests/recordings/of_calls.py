"""Sessions in which a node of Erlang's own shows what arrives on either side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from end_to_end.machine import FROM_VARIABLE, fixed
from recordings.places import COOKIE, READY, recording
from world.cluster import cluster
from world.connected import remote_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recordings.recorder import Recording

_ALIASES: Final = "['app@127.0.0.1', 'app-2@127.0.0.1']"
_OVER_ALL: Final = (
    f"erpc:multicall({_ALIASES}, erlang, node, []).",
    "erpc:call('app@127.0.0.1', erlang, nodes, []).",
    "Pid = erpc:call('app@127.0.0.1', erpc, call, ['app-3@127.0.0.1', erlang, whereis, [init]]).",
    "{node(Pid), is_reference(monitor(process, Pid))}.",
)
_OVER_ONE: Final = (
    "erpc:call('app@127.0.0.1', erlang, node, []).",
    "erpc:call('app@127.0.0.1', erlang, atom_to_list, ['app@127.0.0.1']).",
    "erpc:call('app@127.0.0.1', erlang, binary_to_term, [term_to_binary('app@127.0.0.1')]).",
    "erpc:call('app@127.0.0.1', erlang, phash2, ['app@127.0.0.1']).",
    "erlang:phash2('app@127.0.0.1').",
    "erpc:call('app@127.0.0.1', erlang, atom_to_list, ['app@shop-0.shop.test']).",
)


def all_instances() -> str:
    with cluster(3) as remote, recording() as recorded:
        line = f"erlconnect {' '.join(remote.words())} {COOKIE}"
        with recorded.running(line, until=READY):
            _evaluate(recorded, _OVER_ALL)
        return recorded.text


def names() -> str:
    with remote_node("app@shop-0.shop.test") as node, recording() as recorded:
        with recorded.here.session(*fixed(node), *FROM_VARIABLE) as session:
            session.ready()
            _evaluate(recorded, _OVER_ONE)
        return recorded.text


def _evaluate(recorded: Recording, expressions: Sequence[str]) -> None:
    """Start a node here and type ``expressions`` at its prompts."""
    prompts = _prompts()
    exchanges = [(next(prompts), expression) for expression in expressions]
    last = next(prompts)
    recorded.talk(
        "erl -name dev@127.0.0.1",
        *exchanges,
        last=last,
        leaving=[(last, "\x03"), ("(a)bort", "a\r")],
    )


def _prompts() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"(dev@127.0.0.1){number}>"
