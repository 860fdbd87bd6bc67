"""For every test: nothing depends on how busy the machine is, so no made-up example has a time limit; nor on
which modules another test has loaded, which hypothesis looks through for numbers to try.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis.internal.conjecture import providers

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

# There is no setting for it. Without it a repeatable test (``derandomize``) tries other examples in each
# worker of a run.
vars(providers)["_get_local_constants"] = vars(providers)["Constants"]
