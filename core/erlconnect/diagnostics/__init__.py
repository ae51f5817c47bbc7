"""What ``doctor``, ``ping`` and ``targets`` find out about a TARGET and this machine.

They connect to targets as a session does (see ``session``, steps 1 to 5), and serve no alias.
In the order in which ``doctor`` takes its steps:

1. ``steps.py``: what a step is, how it ends, and the report of all steps.
2. ``doctor.py`` takes all steps; it also asks for the smallest rights (``doctor --role``).
3. ``remote_steps.py``: discovery, transport, epmd, port and probe, the cookie, a connection of our
   own, and what the node says of itself.
4. ``local_steps.py``: Erlang, Elixir, epmd, names and the cookie file of this machine.

``ping.py`` and ``targets.py`` are the bodies of those two commands. ``otp_releases.py`` knows which
releases connect with each other, and ``events.py`` makes the JSON objects of all three.
"""
