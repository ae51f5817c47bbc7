"""The guard of one link: one ``FrameGuard`` for each direction, with the reads they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from erlconnect.distribution.flags import DistributionFlag
from erlconnect.guard.frame_guard import FrameGuard
from erlconnect.guard.inbound import CALL_HEADS, InboundRules
from erlconnect.guard.reads import ShellReads
from erlconnect.guard.stop import STOP_NAMES, StopRules

if TYPE_CHECKING:
    from collections.abc import Callable

    from erlconnect.guard.message import Decision, Message, Refused, Rewritten

Inbound = Literal["guarded", "full"]
_HEADERS: Final = DistributionFlag.DIST_HDR_ATOM_CACHE | DistributionFlag.FRAGMENTS


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardConfig:
    """What a session's guard lets through."""

    allow_stop: bool = False
    inbound: Inbound = "guarded"


def guard_line(config: GuardConfig) -> str:
    """Return one line for the user about what is guarded."""
    stop = (
        "what stops the remote node passes (--allow-stop)"
        if config.allow_stop
        else "what would stop the remote node is refused (--allow-stop allows it)"
    )
    inbound = (
        "it may run code here (--inbound full)"
        if config.inbound == "full"
        else "so is what would run code here (--inbound full allows it)"
        if not config.allow_stop
        else "what would run code here is refused (--inbound full allows it)"
    )
    return f"{stop}; {inbound}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One message that was refused; ``direction`` is where it would have gone."""

    rule: str
    direction: Literal["outward", "inward"]
    what: str
    remedy: str


class LinkGuard:
    """Makes the guards of both directions; ``tell`` is called in either one's thread."""

    def __init__(self, config: GuardConfig, *, flags: int, tell: Callable[[Refusal], None]) -> None:
        """Take the ``flags`` that both nodes have."""
        # Both directions share it: requests for input come inward, their answers go outward.
        reads = ShellReads()
        # Frames are passed through (112) only if neither flag is common to both nodes.
        header = bool(flags & _HEADERS)

        def teller(
            direction: Literal["outward", "inward"],
        ) -> Callable[[Refused | Rewritten], None]:
            def say(decision: Refused | Rewritten) -> None:
                rule = decision.rule
                tell(
                    Refusal(
                        rule=rule.group,
                        direction=direction,
                        what=decision.what,
                        remedy=rule.remedy,
                    )
                )

            return say

        stop = _passes if config.allow_stop else StopRules(reads).decide
        inbound = InboundRules(reads, guarded=config.inbound == "guarded").decide
        self.outward = FrameGuard(
            stop,
            triggers=("io_reply",),
            names=STOP_NAMES,
            tell=teller("outward"),
            header=header,
        )
        inward = ("io_request", *CALL_HEADS)
        self.inward = FrameGuard(
            inbound,
            triggers=inward,
            # With --inbound full no rule asks about messages to names: () has the guard pass them.
            names=None if config.inbound == "guarded" else (),
            tell=teller("inward"),
            header=header,
        )

    @property
    def refused(self) -> int:
        """The number of refused or reported messages of both directions."""
        return self.outward.refused + self.inward.refused


def _passes(_: Message) -> Decision:
    return None
