"""Random command lines and flag variables, and what a real ``erl`` makes of each of them.

``python -m world.emulator_flags`` asks every release for all lists of a seed, which takes some
minutes; the tests ask for a part of them.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from world import releases
from world.epmd import RealEpmd
from world.ports import free_port

from erlconnect.emulator_args import emulator_args

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_END: Final = "--"
# Two rules that OTP changed; a running emulator's path tells its erts.
_WITHOUT_PAIRS: Final = 23
_ERTS_WITHOUT_PAIRS: Final = 11
_SEVERAL_PROTOCOLS: Final = 27
SEED: Final = 20260
LISTS: Final = 500
FILE_COOKIE: Final = "OFTHEFILE"
_SECONDS: Final = 30
# Without a name of its own the node is given one, because only a node that is alive has a cookie.
_NAMELESS: Final = "nameless@127.0.0.1"
_EVALUATE: Final = """
Named = node() =/= nonode@nohost,
Named orelse net_kernel:start(['nameless@127.0.0.1', longnames]),
Listening = [Port || Socket <- erlang:ports(),
    {name, "tcp_inet"} =:= erlang:port_info(Socket, name),
    {ok, {_, Port}} <- [inet:sockname(Socket)], inet:peername(Socket) =:= {error, enotconn}],
State = lists:flatten(io_lib:format("~0p", [sys:get_state(net_kernel)])),
Protocol = case string:find(State, "inet6_tcp_dist") of nomatch -> "inet_tcp"; _ -> "inet6_tcp" end,
io:format("~w~n", [[[[atom_to_list(Flag) | Words] || {Flag, Words} <- init:get_arguments()],
    atom_to_list(node()), atom_to_list(erlang:get_cookie()), Listening, Protocol]]),
halt(0).
"""
_WAY: Final = ("-noinput", "-boot", "no_dot_erlang", "-start_epmd", "false", "-eval", _EVALUATE)
_VALUES: Final = ("a", "OWN", "PEER", "b@127.0.0.1", "it's", "two words", 'q"q', "", "x=1", "10")
_NAMES: Final = ("one@127.0.0.1", "two@127.0.0.1", "three@127.0.0.1")
_EMULATOR: Final = (
    ("+S", "1"),
    ("+K", "true"),
    ("+A", "4"),
    ("+A4",),
    ("+sbwt", "none"),
    ("+zdbbl", "2048"),
    ("+P", "134217"),
    ("+Bd",),
    ("+c", "true"),
    ("+c",),
    ("+MBas", "aobf"),
    ("+hms", "233"),
    ("+SDio", "2"),
    ("+W", "w"),
    ("+rg", "8"),
    ("+pc", "unicode"),
    ("+stbt", "db"),
    ("+MHacul", "de"),
    ("+hmqd", "off_heap"),
    ("+t", "2000000"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagList:
    """One command line with its variables; ``PORT1`` and the like stand for ports that are free."""

    words: list[str]
    variables: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What ``erl`` has: its flags, ``kind`` and name, cookie, ports it listens on, protocol."""

    flags: list[tuple[str, tuple[str, ...]]]
    node: str
    cookie: str
    listening: list[int]
    protocol: str


def flag_lists(seed: int = SEED, number: int = LISTS) -> list[FlagList]:
    """The lists of a seed, always the same."""
    chance = random.Random(seed)
    return [_flag_list(chance) for _ in range(number)]


def _flag_list(chance: random.Random) -> FlagList:
    variables = {
        name: _quoted(chance, _words(chance, chance.randint(0, 3)))
        for name in ("ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS")
        if chance.random() < 0.35
    }
    words = _words(chance, chance.randint(1, 7))
    files = {}
    if chance.random() < 0.25:
        files = {"vm.args": _file(chance)}
        words += ["-args_file", "vm.args", *_words(chance, chance.randint(0, 2))]
    if chance.random() < 0.15:
        words += ["-extra", *_words(chance, 2)]
    return FlagList(words=words, variables=variables, files=files)


def _words(chance: random.Random, flags: int) -> list[str]:
    return [word for _ in range(flags) for word in _flag(chance)]


def _flag(chance: random.Random) -> Sequence[str]:
    port, other = (f"PORT{chance.randint(1, 3)}" for _ in range(2))
    value = chance.choice(_VALUES)
    choices: list[tuple[int, Sequence[str]]] = [
        (5, ("-setcookie", chance.choice(_VALUES[:6]))),
        (2, ("-setcookie", "peer@127.0.0.1", value)),
        (1, ("-setcookie",)),
        (1, ("-setcookie", "-84BlQcX_abc")),
        (1, ("-setcookie", "abc\n")),
        (4, ("-name", chance.choice(_NAMES))),
        (2, ("-sname", "short")),
        (1, ("-name", "-hidden")),
        (1, ("-name", "one@127.0.0.1", "more")),
        (3, ("-kernel", "inet_dist_listen_min", port, "inet_dist_listen_max", port)),
        (1, ("-kernel", "inet_dist_listen_min", port)),
        (
            1,
            (
                "-kernel",
                "net_ticktime",
                "30",
                "inet_dist_listen_min",
                port,
                "inet_dist_listen_min",
                other,
            ),
        ),
        (2, ("-erl_epmd_port", port)),
        (1, ("-erl_epmd_port", port, other)),
        (1, ("-proto_dist", chance.choice(("inet6_tcp", "inet_tcp")))),
        (1, ("-hidden",)),
        (1, ("-connect_all", "false")),
        (1, ("-env", "SOME", "-setcookie")),
        (2, ("--",)),
        (2, (value,)),
        (1, ("-s", "erlang", "date")),
        (1, ("-run", "erlang", "time")),
        (1, ("-unknown", value, value)),
        (1, ("--cookie", value)),
        (3, chance.choice(_EMULATOR)),
    ]
    weights = [weight for weight, _ in choices]
    return chance.choices([flag for _, flag in choices], weights)[0]


def _quoted(chance: random.Random, words: Sequence[str]) -> str:
    """The words as a variable holds them, quoted in one of the ways that erlexec knows."""
    return "".join(
        f"{_one_quoted(chance, word)}{chance.choice((' ', '  ', chr(9)))}" for word in words
    )


def _one_quoted(chance: random.Random, word: str) -> str:
    plain = word and not set(word) & set("'\"\\ \n#")
    if plain and chance.random() < 0.7:
        return word
    if "'" not in word and chance.random() < 0.5:
        return f"'{word}'" if word else "''"
    if '"' not in word:
        return f'"{word}"'
    return "".join(f"\\{letter}" for letter in word)


def _file(chance: random.Random) -> str:
    lines = [_quoted(chance, _flag(chance)) for _ in range(chance.randint(1, 4))]
    lines.insert(chance.randint(0, len(lines)), "# -setcookie of-a-comment")
    ending = chance.choice(("", "  # -name comment@127.0.0.1", " 'unclosed"))
    return "\n".join(lines) + ending


class RealErl:
    """One release's ``erl``, asked for one list after another; a context manager."""

    def __init__(self, release: str) -> None:
        self._release = int(release)
        self._tree = Path("/") if release == "25" else releases.available()[release]
        self._prefix = [] if release == "25" else ["chroot", str(self._tree)]
        self._stack = ExitStack()
        self.ports = {f"PORT{number}": str(free_port()) for number in range(1, 4)}

    def __enter__(self) -> Self:
        self._epmd = self._stack.enter_context(RealEpmd(free_port()))
        temporary = tempfile.TemporaryDirectory(prefix="flags-", dir=self._tree / "tmp")
        self.folder = Path(self._stack.enter_context(temporary))
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text(FILE_COOKIE)
        cookie.chmod(0o400)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def placed(self, asked: FlagList) -> FlagList:
        """The list with the ports and files of this release."""
        inside = "/" + str(self.folder.relative_to(self._tree))

        def text(word: str) -> str:
            return f"{inside}/{word}" if word in asked.files else self.ports.get(word, word)

        return FlagList(
            words=[text(word) for word in asked.words],
            variables={name: self._ported(value) for name, value in asked.variables.items()},
            files={f"{inside}/{name}": self._ported(value) for name, value in asked.files.items()},
        )

    def _ported(self, value: str) -> str:
        for name, port in self.ports.items():
            value = value.replace(name, port)
        return value

    def ask(self, placed: FlagList) -> Answer | None:
        """What ``erl`` has with this list; ``None`` where it does not start with it."""
        for name, content in placed.files.items():
            (self._tree / name[1:]).write_text(content)
        home = "/" + str(self.folder.relative_to(self._tree))
        own = {"ERL_EPMD_PORT": str(self._epmd.port), "HOME": home, "LANG": "C.UTF-8"}
        done = subprocess.run(
            [*self._prefix, "erl", *_WAY, "--", *placed.words],
            env={
                "PATH": os.environ["PATH"],
                "ERL_CRASH_DUMP_BYTES": "0",
                **own,
                **placed.variables,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
        lines = done.stdout.decode().splitlines()
        answers = [line for line in lines if line.startswith("[[")]
        return _answer(json.loads(answers[-1])) if answers else None

    def expected(self, placed: FlagList) -> dict[str, Any]:
        """What erlconnect reads of the list, in the form of ``told``."""
        flags = [*_WAY, _END, *placed.words]
        args = emulator_args(placed.variables, ["erl", *flags], placed.files)
        if self._release == _WITHOUT_PAIRS:
            args = replace(args, erts=_ERTS_WITHOUT_PAIRS)
        several = self._release < _SEVERAL_PROTOCOLS and len(args.words("proto_dist")) > 1
        kind, name = args.name
        lowest, highest = args.listen_range
        return {
            "flags": list(args.flags),
            "node": _NAMELESS if not kind else name,
            "cookie": args.cookie or FILE_COOKIE,
            "port": args.dist_port or (lowest if lowest == highest else None),
            "protocol": "inet_tcp" if several else args.protocol or "inet_tcp",
        }


_OF_THE_PLACE: Final = ("root", "bindir", "progname", "home", "noshell", "epmd_port")


def told(answer: Answer, expected: dict[str, Any]) -> dict[str, Any]:
    """What ``erl`` has, as far as flags say it."""
    node = answer.node if "@" in expected["node"] else answer.node.partition("@")[0]
    free = expected["port"] is None
    return {
        "flags": [flag for flag in answer.flags if flag[0] not in _OF_THE_PLACE],
        "node": node,
        "cookie": answer.cookie,
        "port": None if free else answer.listening[0],
        "protocol": answer.protocol,
    }


def _answer(found: list[Any]) -> Answer:
    def text(points: list[int]) -> str:
        return "".join(map(chr, points))

    return Answer(
        flags=[(text(flag), tuple(map(text, words))) for flag, *words in found[0]],
        node=text(found[1]),
        cookie=text(found[2]),
        listening=found[3],
        protocol=text(found[4]),
    )


def differences(release: str, lists: Sequence[FlagList]) -> Iterator[tuple[FlagList, Any, Any]]:
    """Each list of which erlconnect reads another thing than ``erl``, with both; and with ``None``
    for ``erl``'s where it does not start.
    """
    with RealErl(release) as erl:
        for asked in lists:
            placed = erl.placed(asked)
            answer, expected = erl.ask(placed), erl.expected(placed)
            if answer is None:
                yield placed, None, expected
            elif told(answer, expected) != expected:
                yield placed, told(answer, expected), expected


def main() -> int:
    """Ask every release for every list; 1 if one was read differently."""
    wrong = 0
    for release in ("25", *releases.available()):
        started = LISTS
        for asked, real, ours in differences(release, flag_lists()):
            if real is None:
                started -= 1
            else:
                wrong += 1
                print(f"OTP {release}: {asked}")
                for key in ours:
                    if real[key] != ours[key]:
                        print(f"  {key}: erl {real[key]}, erlconnect {ours[key]}")
        print(f"OTP {release}: erl started with {started} of {LISTS} lists")
    print(f"{wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
