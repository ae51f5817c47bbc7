"""Any bytes as a frame that answers our own questions: a RemoteProtocolError, or a message."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports():
    from erlconnect.distribution.errors import RemoteProtocolError
    from erlconnect.distribution.own_calls import evaluated, is_auth_answer, message_of

CALLER = "check@erlconnect.invalid"


def one_input(data: bytes) -> None:
    """Check one input."""
    try:
        message = message_of(data)
        if message is not None:
            is_auth_answer(message, CALLER)
            evaluated(message)
    except RemoteProtocolError:
        return


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
