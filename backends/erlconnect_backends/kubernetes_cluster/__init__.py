"""Backend ``kubernetes``, cookie sources ``kubernetes-env`` and ``kubernetes-exec``, a transport.

``access`` has the settings that say which cluster is meant; only ``client`` imports the library
``kubernetes``, to read kubeconfig files, and gives a ``cluster_access``. ``connection`` opens a
stream to the API server, ``exchange`` carries one request over it, ``rest`` asks and tries again.
"""
