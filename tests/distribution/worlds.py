"""Random conversations: a table of names, and a stream of messages that mention them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from distribution import streams, terms
from distribution.streams import Reference
from hypothesis import strategies as st

from erlconnect.distribution.name_mapping import CompiledMapping, inverse, permutation

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


@dataclass(frozen=True, slots=True, repr=False)
class Conversation:
    """What one side says, and which names become which on the way."""

    names: dict[str, str]
    frames: list[bytes]
    fun_sizes: bool
    """Whether the receiver checks the sizes of funs."""

    @property
    def stream(self) -> bytes:
        return b"".join(self.frames)

    @property
    def table(self) -> CompiledMapping:
        return CompiledMapping(self.names, fun_sizes=self.fun_sizes)

    @property
    def back(self) -> CompiledMapping:
        return CompiledMapping(inverse(self.names))

    @property
    def texts(self) -> dict[bytes, bytes]:
        return {old.encode(): new.encode() for old, new in self.names.items()}


def table(random: Random) -> dict[str, str]:
    """Two to four names: a swap, two swaps, a closed chain."""
    known = terms.names(random)
    if len(known) == 3:
        return permutation([(known[0], known[1]), (known[1], known[2])])
    return permutation(zip(known[::2], known[1::2], strict=True))


class Speaker:
    """Frames messages about ``known`` names."""

    def __init__(self, random: Random, known: list[str]) -> None:
        self._random = random
        self._known = known

    def header(self) -> tuple[int, bytes]:
        """How many entries a distribution header has, and the header."""
        random = self._random
        entries = [
            Reference(random.randint(0, 7), random.randint(0, 3), self._new_text())
            for _ in range(random.choice([0, 0, 1, 2, 3, 6]))
        ]
        return len(entries), streams.references(entries, long_atoms=random.random() < 0.3)

    def _new_text(self) -> bytes | None:
        name = self._random.choice(self._known)
        return self._random.choice(
            [None, None, name.encode(), name.encode(), terms.pattern(name)[:255], b"lib"]
        )

    def whole(self) -> list[bytes]:
        cached, header = self.header()
        author = terms.Author(self._random, self._known, cached)
        said = [author.term() for _ in range(self._random.randint(1, 2))]
        return [streams.whole(header, b"".join(said))]

    def passed_through(self) -> list[bytes]:
        author = terms.Author(self._random, self._known)
        said = [author.term() for _ in range(self._random.randint(1, 2))]
        return [streams.pass_through(*said)]

    def fragmented(self, sequence: int) -> list[bytes]:
        """A message cut in arbitrary places, somewhere in very small pieces."""
        random = self._random
        cached, header = self.header()
        author = terms.Author(random, self._known, cached)
        said = [self._padding(), *(author.term(20) for _ in range(random.randint(1, 5)))]
        first = 0
        if random.random() < 0.3:
            said = [*said, self._filler(), author.term(20)]
            first = sum(map(len, said[:-1]))
        payload = b"h" + bytes([len(said)]) + b"".join(said)
        cuts = [random.randint(first, len(payload)) for _ in range(random.randint(0, 8))]
        if random.random() < 0.7:
            step = random.randint(1, 8)
            start = random.randint(first, len(payload))
            cuts += range(start, min(len(payload), start + 40 * step), step)
        return streams.fragments(sequence, header, author.term(4), payload, cuts)

    def _filler(self) -> bytes:
        """A term that makes the first fragment about as long as OTP's."""
        data = self._random.choice([b"a\1", b"R\0", b"m\0\0\0\1p"]) * 9000
        return self._random.choice([terms.binary(data), b"l\0\0\x23\x28" + b"a\1" * 9000 + b"j"])

    def _padding(self) -> bytes:
        """A term about as long as the stretch that is walked at the start of a message."""
        size = self._random.randint(850, 1100)
        name = b"w" + terms.pattern(self._random.choice(self._known))
        return self._random.choice(
            [
                b"j",
                b"j",
                terms.binary(b"." * size),
                b"l" + size.to_bytes(4, "big") + b"a\1" * size + b"j",
                terms.binary(name * (size // len(name))),
                b"k"
                + (size // len(name) * len(name)).to_bytes(2, "big")
                + name * (size // len(name)),
            ]
        )


def converse(random: Random, messages: int, *, fragmented: bool) -> Conversation:
    """Messages of every kind, with ticks between them and fragments that may interleave."""
    names = table(random)
    speaker = Speaker(random, list(names))
    kinds: list[Callable[[], list[bytes]]] = [
        speaker.whole,
        speaker.passed_through,
        lambda: [streams.TICK],
    ]
    sources: list[list[bytes]] = []
    for number in range(messages):
        if fragmented and random.random() < 0.7:
            sources.append(speaker.fragmented(number + 1))
        else:
            sources.append(random.choice(kinds)())
    turns = [index for index, frames in enumerate(sources) for _ in frames]
    if random.random() < 0.7:
        random.shuffle(turns)
    left = [iter(frames) for frames in sources]
    mixed = [next(left[index]) for index in turns]
    return Conversation(names, mixed, fun_sizes=random.random() < 0.5)


def conversations(*, fragmented: bool = True) -> st.SearchStrategy[Conversation]:
    """Conversations of one to six messages."""
    return st.builds(
        lambda random, messages: converse(random, messages, fragmented=fragmented),
        st.randoms(use_true_random=True),
        st.integers(1, 6),
    )


def cuts() -> st.SearchStrategy[list[int]]:
    """Where a stream is torn on its way."""
    return st.lists(st.integers(0, 100_000), max_size=12)
