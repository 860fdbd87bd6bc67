"""What is wrong with a run: what its bad cells share, and what cannot be told. Pure, computed when asked.

The way of a run through these rooms: a cell and its rows become a :class:`Seen` (``phases``, ``groups``), the
cells of each level are explained (``levels``, ``blame``, ``score``), silence apart from that (``silence``),
and what was found is told (``sentences``, ``contrast``, ``document``). ``look`` does all of it.
"""
