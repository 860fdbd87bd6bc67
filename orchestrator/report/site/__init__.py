"""The pages of the web server that are no report: runs, plans and their history, budgets, queue, schedules.

As in ``report/html``: values first (``view``), decided by one file a page, then templates, which only loop.
Pure: no clock, no store, no server. Each page is a document too.
"""
