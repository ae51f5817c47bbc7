"""Sockets, TLS, HTTP and child processes: nothing of the BEAM."""
