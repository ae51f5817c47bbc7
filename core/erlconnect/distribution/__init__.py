"""The Erlang distribution protocol as pure functions and small state machines.

Bytes in, facts out: nothing in this package opens a socket, waits, or logs.
Specification: https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html
"""
