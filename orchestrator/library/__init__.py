"""The package as a library: what the command line can do, as coroutines. See ``docs/library.md``.

A run is named as on the command line: by its id, its beginning, or ``last``; with ``plan``, one of that plan.
What is not named (token, store, ...) is looked for where the command line looks. Raises the errors of
:mod:`orchestrator.errors`; a failed test is a record in the result.
"""
