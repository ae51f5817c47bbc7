"""The Erlang port mapper daemon (EPMD): its messages, a client, a server, and a session's names."""
