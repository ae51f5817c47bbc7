"""One run of erlconnect, from what the user asked for to the last link's end.

For each TARGET a ``service`` holds its means: ``offers`` turns names into plugins' objects,
``discovery`` finds targets, ``approach`` opens a way to one and knocks, ``cookies`` fetches.
``first_target`` or, with ``--all``, ``instances`` says which targets get an alias; ``aliases``
registers and serves them, and ``aliased_target`` is what a link then talks to.
"""
