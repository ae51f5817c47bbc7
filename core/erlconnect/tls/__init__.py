"""TLS without a socket of its own: the handshake, and what a pump of bytes makes of it.

Knows nothing of what is spoken inside, and nothing of who may be at the other end.
"""
