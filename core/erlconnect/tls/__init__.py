"""TLS without a socket of its own: the handshake, and a thread that pumps the bytes.

Knows nothing of what is spoken inside, and nothing of who may be at the other end.
"""
