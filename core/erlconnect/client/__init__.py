"""Our own client: calls to a remote node as a hidden node of ours, without Erlang here.

It uses the connection of ``proxy.node_client``, over which it sends and receives signals as a
node does: spawn requests, links, messages, the I/O protocol.
"""
