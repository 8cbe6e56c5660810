"""
How many examples are tried: few and always the same ones, or many and new ones.

    HYPOTHESIS_PROFILE=long pytest tests/properties --hypothesis-show-statistics
"""

import os

from hypothesis import HealthCheck, Phase, settings

_SHARED = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile(
    "ci", max_examples=10, derandomize=True, phases=[Phase.explicit, Phase.generate], **_SHARED
)
settings.register_profile("long", max_examples=150, **_SHARED)

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
# Not loaded, as that would change the profile of all other tests, too.
PROFILE = settings.get_profile("long" if LONG else "ci")


def examples(share: float) -> settings:
    """The profile with a share of its examples, for what is slow or has few cases."""
    return settings(PROFILE, max_examples=max(2, round(PROFILE.max_examples * share)))
