"""Which messages of a link pass: rules over control messages, calls and what is typed.

Bytes in, decisions out. Refuses to know sockets, threads and sessions.
"""
