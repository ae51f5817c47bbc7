"""Which messages of a link pass: rules over control messages, calls and what is typed.

Bytes in, decisions out. It is sans-IO: no sockets, threads or sessions.
"""
