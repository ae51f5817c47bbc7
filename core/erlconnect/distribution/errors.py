"""The two ways in which a conversation in the distribution protocol can go wrong."""

from __future__ import annotations


class DistributionError(Exception):
    """Base of both protocol errors; never raised itself."""


class LocalProtocolError(DistributionError):
    """We were asked for something the protocol does not allow at this point: our own bug."""


class RemoteProtocolError(DistributionError):
    """The peer sent something the protocol does not allow.

    This is the only error that input from a peer can cause anywhere in ``distribution`` and in
    the epmd messages. Its text names the message and the offset, never the payload.
    """


class MessageTooLongError(RemoteProtocolError):
    """The peer sends more at a time than was agreed to take."""
