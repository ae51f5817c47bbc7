"""The only code that touches distribution sockets.

A connection flows through it like this: ``listener`` accepts the local node, ``link`` dials the
remote one, ``handshake`` speaks to both, and ``relay`` moves the bytes until one of them goes.
``knock`` asks a remote node for its name before any of that.
"""
