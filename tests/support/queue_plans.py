"""A small plan for what is about plans that wait, not about what is in them."""

from __future__ import annotations

SMALL_PLAN = """\
version: 1
name: sweep
agents:
  cloud: {type: cloud, country: [GB]}
tests:
  - {name: web, type: http-server, targets: ["https://one.example.com"], agents: cloud}
"""
