"""The words in which people are told of an event."""

from __future__ import annotations

from erlconnect.hookspecs import LinkEvent
from erlconnect.session.events import Failed, Stopped, TargetLost, TargetReplaced, Warned

Told = Failed | LinkEvent | Stopped | TargetLost | TargetReplaced | Warned


def event_text(event: Told) -> str:
    """Give a line or two."""
    match event:
        case LinkEvent(kind="link-up"):
            text = f"{event.local_node} is connected to {event.alias} as {event.caller_name}"
        case LinkEvent():
            moved = f"{event.bytes_out} bytes out, {event.bytes_in} in"
            text = f"{event.local_node} left {event.alias}: {event.reason} ({moved})"
        case Failed():
            who = f"{event.local_node or 'somebody'} could not reach {event.alias}: "
            text = f"{who if event.alias else ''}{event.error.message}\n{event.error.remedy}"
        case Warned():
            text = f"note: {event.message}"
        case TargetLost():
            text = f"{event.node} is gone: {event.message}"
        case TargetReplaced():
            text = f"{event.alias} is now {event.node} at {event.address}:{event.dist_port}"
        case Stopped():
            text = f"stopped: {event.reason}"
    return text
