"""A report as one HTML file: no script, no request, readable without styles, on paper and on a phone.

Values first (``page`` and what it is made of decide everything, typed in ``view``), then templates, which
only loop. Pure: no clock, no store.
"""
