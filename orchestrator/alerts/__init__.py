"""Alerts that come in: who sent them, what they are about, and whether something is started for it. Pure.

A hook is named in a file (``config``). ``proof`` verifies the sender, ``reading`` finds target and time in
the body, ``allowed`` holds the target against the hook's patterns, ``allowance`` says whether there is room.
All take values and the time; HTTP and whatever is started are the web entrance's.
"""
