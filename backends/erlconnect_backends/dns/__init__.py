"""Backend ``dns``: SRV, A and AAAA records.

``plugin`` has the settings and registers the backend. ``backend`` decides what to ask for and makes
targets of the answers. ``nameservers`` says whom to ask, ``resolver`` looks up, ``errors`` has the
errors with their remedies. How a query gets to a server is in ``erlconnect_backends.do53``.
"""
