"""Backend ``consul``, cookie source ``consul-kv``, transport ``consul-connect``.

``plugin`` registers the backend and the transport, ``cookies`` is the cookie source. ``access``
says which agent is asked and as whom, ``agent`` asks it, ``errors`` has the errors with their
remedies. ``backend`` finds ``instances`` of a service. ``connect`` and ``connect_native`` lead into
the service mesh.
"""
