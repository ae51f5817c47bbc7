"""The one hypothesis profile of this folder: a run elsewhere repeats a run here.

``ERLCONNECT_EXAMPLES=5000`` looks further, at random, for whoever has the time.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_EXAMPLES = os.environ.get("ERLCONNECT_EXAMPLES")
settings.register_profile(
    "distribution",
    max_examples=int(_EXAMPLES or "40"),
    derandomize=not _EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
repeatable = settings.get_profile("distribution")
