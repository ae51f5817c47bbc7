"""Our own client: calls to a remote node as a hidden node of ours, without Erlang here.

It uses the connection of ``proxy.own_connection``, over which it says and hears signals as a node
does: spawn requests, links, messages, the I/O protocol.
"""
