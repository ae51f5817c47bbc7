"""One run of erlconnect, from the TARGETs that the user named to the last link's end.

How a TARGET becomes an alias, in order:

1. ``config.py``: the command line has made a ``SessionConfig`` of the flags, the profile and the
   variables. ``session.py`` makes a ``TargetContext`` of each, with ``tls.py`` for its TLS.
2. ``plugin_resolver.py`` creates the backend, and later the transports and cookie sources.
3. ``discovery.py`` asks the backend: each answer is a ``Target`` of the plugin contract.
4. ``connector.py`` opens a transport to a target and probes its node. One that answers is a
   ``ConnectedTarget``; ``names.py`` has the caller name for this.
5. ``cookies.py`` fetches the cookies, which go into the ``ConnectedTarget``.
6. ``target_set.py`` decides which connected targets get an alias: the first, or with ``--all`` all.
7. ``alias_registry.py`` registers a name in the local epmd, and makes an ``Alias`` of the target.
8. ``alias.py`` runs the links of the alias, and finds the target again when it has moved.

Beside that, ``events.py`` is what a session reports, ``instance_lock.py`` gives it a number and a
folder, and ``status_socket.py`` answers ``erlconnect status``. Commands that serve no alias go the
same way up to step 5 with ``inspection.py``; ``plan.py`` stops before a target is dialled.
"""
