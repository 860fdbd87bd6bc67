"""The entrance of browsers: read-only pages over a store, server-rendered, without script.

``guard`` decides who may ask and ``asking`` what is asked for, both pure; ``site`` makes the answer of
actions and the pages of ``report``; ``server`` is the thin door to HTTP.
"""
