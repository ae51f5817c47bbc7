"""Erlconnect: local Erlang tools talk to remote nodes as if these were local."""
