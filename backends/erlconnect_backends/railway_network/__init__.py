"""Nodes inside Railway's private network.

``discovery`` declares the backend, ``backend`` finds replicas, ``private_names`` asks DNS for them,
``graph_api`` asks Railway's API (queries in ``queries/``), ``surroundings`` knows which project and
environment are meant, ``erlang_variables`` reads a service's variables as Erlang would, and
``variables`` is the cookie source.
"""
