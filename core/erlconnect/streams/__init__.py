"""Streams that are no plain sockets, behind socketpairs: one thread each, any codec.

Knows nothing of what is spoken inside, and nothing of who may be at the other end.
"""
