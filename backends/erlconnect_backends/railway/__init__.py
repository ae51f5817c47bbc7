"""Nodes inside Railway's private network.

``plugin`` registers the backend and the cookie source, ``backend`` finds replicas by DNS, ``api``
asks Railway's API with the queries of ``queries/``.
"""
