"""One run of erlconnect, from what the user asked for to the last link's end.

``offers`` turns names into plugins' objects, ``discovery`` finds targets, ``approach`` opens a way
to one and knocks, ``cookies`` fetches, ``session`` registers the alias and serves it, and
``aliased_target`` is what a link then talks to.
"""
