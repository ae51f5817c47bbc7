"""What all targets share: an input taken apart, and coroutines that have nothing to wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

Value = TypeVar("Value")


class InputReader:
    """Takes numbers and pieces from the front of an input; zero and nothing behind its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def number(self, limit: int) -> int:
        """Return a number below ``limit``, which is 65536 at most."""
        size = 1 if limit <= 1 << 8 else 2
        return int.from_bytes(self.some(size), "big") % limit

    def some(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer at the end."""
        piece, self._data = self._data[:size], self._data[size:]
        return piece

    def counted(self, limit: int) -> bytes:
        """Return a piece whose length, below ``limit``, stands before it."""
        return self.some(self.number(limit))

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.some(len(self._data))

    def more(self) -> bool:
        """Return whether anything is left."""
        return bool(self._data)


def split(stream: bytes, sizes: bytes) -> Iterator[bytes]:
    """Yield ``stream`` in pieces of ``sizes`` bytes each, and then what is left of it; none empty.

    A size of 0 means one byte.
    """
    for size in sizes:
        piece, stream = stream[: size or 1], stream[size or 1 :]
        if piece:
            yield piece
    if stream:
        yield stream


def byte_by_byte(stream: bytes) -> list[bytes]:
    """Return ``stream`` in pieces of one byte."""
    return [stream[at : at + 1] for at in range(len(stream))]


def result_of(coroutine: Coroutine[Any, Any, Value]) -> Value:
    """Run a coroutine to its end without an event loop, which costs more than most inputs do."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: Value = end.value
        return value
    coroutine.close()
    raise AssertionError("the coroutine waits for something")
