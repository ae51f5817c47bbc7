"""What the guard costs for each frame: the same bytes with it and without it, in one run.

python benchmarks/guard.py        nanoseconds for each frame, the best of several repetitions
"""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.name_mapping import CompiledMapping, permutation
from erlconnect.distribution.rewriter import Rewriter
from erlconnect.guard.link_guard import GuardConfig, LinkGuard

if TYPE_CHECKING:
    from collections.abc import Callable

    from erlconnect.distribution.rewriter import Guard

_FRAMES: Final = 4000
_REPETITIONS: Final = 15
_FLAGS: Final = 0xD07DF7FBD  # what OTP 25 sends
_NAMES: Final = permutation(
    [("app@127.0.0.1", "app@10.3.2.1"), ("dev@127.0.0.1", "dev@erlconnect.invalid")]
)
_ATOMS: Final = (b"dev@127.0.0.1", b"app@127.0.0.1", b"hello")


def _header(*, new: bool) -> bytes:
    count = len(_ATOMS)
    flags = sum((8 if new else 0) << 4 * index for index in range(count))
    entries = (
        bytes([index]) + (bytes([len(text)]) + text if new else b"")
        for index, text in enumerate(_ATOMS)
    )
    return bytes([count]) + flags.to_bytes(count // 2 + 1, "little") + b"".join(entries)


def _pid(node: int, number: int) -> bytes:
    return b"XR" + bytes([node]) + struct.pack(">III", number, 0, 7)


def _payload(number: int) -> bytes:
    return b"h\x03R\x02b" + struct.pack(">i", number) + _pid(0, 101)


def _sent(sender: int, receiver: int, payload: bytes, *, new: bool = False) -> bytes:
    control = b"h\x03a\x16" + _pid(0, sender) + _pid(1, receiver)
    return _framed(_header(new=new) + control + payload)


def _framed(body: bytes) -> bytes:
    return (len(body) + 2).to_bytes(4, "big") + b"\x83D" + body


def _named(number: int) -> bytes:
    control = b"h\x04a\x06" + _pid(0, 101 + number % 7) + b"R\x01R\x02"
    return _framed(_header(new=False) + control + _payload(number))


def _binary(size: int) -> bytes:
    return b"m" + struct.pack(">I", size) + b"x" * size


_KINDS: Final[dict[str, Callable[[int], bytes]]] = {
    "one sender": lambda number: _sent(101, 102, _payload(number)),
    "many senders": lambda number: _sent(101 + number * 7 % 1500, 102, _payload(number)),
    "sizes mixed": lambda number: _sent(101, 102, _binary(number % 90)),
    "to a name": _named,
}


def _best(data: bytes, guard: Guard | None) -> float:
    """Return the nanoseconds for a frame."""
    rewriter = Rewriter(CompiledMapping(_NAMES), guard=guard)
    first = bytearray(_sent(101, 102, _payload(0), new=True))
    rewriter.process(first, 0, len(first))
    buffer = bytearray(data)
    seconds = []
    for _ in range(_REPETITIONS):
        begin = time.perf_counter()
        rewriter.process(buffer, 0, len(buffer))
        seconds.append(time.perf_counter() - begin)
    return min(seconds) / _FRAMES * 1e9


def main() -> None:
    """Print a line for each kind of messages."""
    for kind, frame in _KINDS.items():
        data = b"".join(frame(number) for number in range(_FRAMES))
        link = LinkGuard(GuardConfig(), flags=_FLAGS, tell=lambda _: None)
        off, on = _best(data, None), _best(data, link.outward)
        print(f"{kind:14} without {off:6.0f} ns, with {on:6.0f} ns a frame")


if __name__ == "__main__":
    main()
