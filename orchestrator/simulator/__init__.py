"""The simulated API: what can be run without a paid organization, and what the tests are run against.

It imports nothing of the rest of the package and shares no parsing or shaping code with the client, so
that both cannot be wrong in the same way.
"""
