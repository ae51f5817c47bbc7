"""The only code that touches distribution sockets.

A link flows through it in this order: ``listener`` accepts the local node's connection, ``link``
dials the remote node, ``handshake`` performs the distribution handshake with both, and ``relay``
moves the bytes in both directions until one side ends. ``frame_stream`` reads and writes the
handshake's frames, ``errors`` has the messages of all that can go wrong.

Before any link, ``probe`` asks a remote node for its name. ``node_client`` is a connection of
erlconnect's own to a node, as a hidden node. ``timing`` measures the steps of both.
"""
