"""What stands between a caller's bytes and those on the wire, as a pump sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class StreamCodec(Protocol):
    """What the bytes on the wire mean. Nothing in it waits.

    ``half_closes`` says whether one direction can end without the other. ``over`` is true when
    nothing more can come from the other side; ``failure`` says then what ended it, if it was no
    orderly end.
    """

    half_closes: bool
    over: bool
    failure: Exception | None

    def early(self) -> Sequence[memoryview]:
        """Give what came for the caller before the pump began."""

    def decode(self, data: memoryview) -> Sequence[memoryview]:
        """Take bytes of the wire, none for its end, and give what is in them for the caller.

        What it gives holds until the next call. It raises nothing: see ``failure``.
        """

    def encode(self, data: memoryview) -> None:
        """Take bytes of the caller."""

    def say_farewell(self) -> None:
        """Learn that the caller has ended."""

    def outgoing(self) -> bytes:
        """Give bytes for the wire; none where there are no more for now."""

    def seconds_left(self, *, listening: bool) -> float | None:
        """Give how long nothing may happen on the wire; ``None`` for ever.

        Without ``listening`` the caller takes nothing, and so nothing is read from the wire. Raises
        ``TimeoutError`` where nothing has happened for too long.
        """
