"""Backend ``kubernetes``, cookie sources ``kubernetes-env`` and ``kubernetes-exec``, a transport.

Whom to ask: ``access`` has the settings for it. Only ``client`` imports the library ``kubernetes``,
to read kubeconfigs; ``loading`` and ``proxies`` make a ``cluster_access`` of what they say.

How to ask: ``requests`` says what can be asked, ``rest`` asks, ``exchange`` carries one request
over a ``connection``, ``trying`` does it again, ``judging`` and ``failures`` say what went wrong,
``rights`` and ``needs`` which rights are missing.

The backend: ``discovery`` declares it, ``backend`` decides, ``targets_named`` reads TARGET,
``workloads`` finds ``pods``, ``choice`` and ``beam_container`` choose, ``pod_targets`` makes
targets, ``following`` waits for changes.

Cookies: ``container_environment`` builds variables as the kubelet does (with ``expansion``,
``downward`` and ``data_objects``), for ``cookie_in_environment``; ``look_inside`` by an
``exec_call`` is for ``cookie_by_exec``; ``cookie_place`` is for both.

The transport: ``port_forward`` declares it, ``forward_transport`` opens it, by a ``websocket`` for
each stream (``websocket_forward``), or else by ``kubectl_forward``.
"""
