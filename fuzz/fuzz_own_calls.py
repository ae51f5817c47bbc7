"""Any bytes as a frame that answers our own questions: a RemoteProtocolError, or a message."""

from __future__ import annotations

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.rpc import evaluation_result, is_auth_answer, message_of

CALLER = "check@erlconnect.invalid"


def one_input(data: bytes) -> None:
    """Check one input as a frame's body, and behind a control message for our pid."""
    for body in (data, b"p\x83h\x01a\x02\x83" + data):
        try:
            message = message_of(body)
            if message is not None:
                is_auth_answer(message, CALLER)
                evaluation_result(message)
        except RemoteProtocolError:
            continue
