from __future__ import annotations

from hypothesis import settings

# A slow machine is no fault of the code: examples have no deadline of their own.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
