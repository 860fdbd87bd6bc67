"""An incident: what is tested of a target, from where, in which order, when it is enough, and how it is told.

Pure. The way of a diagnosis through these rooms: a text becomes a :class:`Subject` (``subjects``), agents are
put in the order in which they tell most (``vantage``), both become test blocks (``firstwave``, later
``secondwave``) and these the text of a plan (``plantext``). What is known at a moment is a :class:`Found`
(``found``), which ``course`` decides by and ``words``, ``picture``, ``ticket`` and ``document`` tell.
"""
