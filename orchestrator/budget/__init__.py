"""How many calls may go out now: budgets fed by the limit headers of every answer.

``clock`` knows the server's time, ``budget`` is the arithmetic of one limit, ``ledger`` keeps the two limits
of an organization together, ``shared`` does so for all processes of one host, ``purse`` and ``teller`` for
those of several.
"""
