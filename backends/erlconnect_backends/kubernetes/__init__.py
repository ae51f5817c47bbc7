"""Backend ``kubernetes``, cookie sources ``kubernetes-env`` and ``kubernetes-exec``, a transport.

Each file and what it is for, in the order in which they use each other, the lowest first:

The connection to an API server: ``connection`` dials, makes the TLS handshake and sends one HTTP
request, ``websocket`` upgrades. ``kubeconfig`` reads the files, ``oidc`` and ``credential_plugin``
fetch credentials, and ``cluster_access`` makes of them an API server that can be asked.

Requests: ``requests`` says what can be asked and which rights that needs, ``api_client`` asks,
tries again and judges answers, ``access_review`` asks which rights are missing. ``errors`` has all
messages.

The backend: ``plugin`` has the settings and the registration, ``backend`` decides,
``target_syntax`` reads TARGET, ``workloads`` finds its pods, and ``pods`` makes targets of them, by
the variables of ``container_env``.

Cookies: ``cookies`` has both sources. One reads ``container_env``, the other runs a command in the
container by ``exec``.

The transport: ``port_forward`` opens streams, whose bytes ``forward_streams`` carries in
websockets. ``tunnel_pool`` keeps some open beforehand, which speak ``spdy``. ``kubectl`` is used
where websockets are refused. ``forward_errors`` has the messages.
"""
