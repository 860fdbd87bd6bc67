"""What to send next, and when. Pure: the time is an argument, and so is the source of randomness.

``schedule`` is the door: it names what is due (``steps``) and takes in what came of it (``feedback``). Behind
it, ``creations`` are queued (``order``, ``lanes``) and held back by the ``breaker``; ``polls`` says when to
read an open test and ``closing`` when to stop, by what it has (``progress``) and what its type takes
(``latency``). How eagerly is the ``pace``, by the arithmetic of ``policy``; ``backoff`` is for what failed.
"""
