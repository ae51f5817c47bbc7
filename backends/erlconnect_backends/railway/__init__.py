"""Nodes inside Railway's private network.

``discovery`` declares the backend, ``backend`` finds replicas, ``private_names`` asks DNS for them,
``graph_api`` asks Railway's API (queries in ``queries/``), ``surroundings`` knows which project and
environment are meant, and ``variables`` is the cookie source.
"""
