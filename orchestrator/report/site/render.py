"""Where the values of a page become HTML."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment

from orchestrator.report.html.render import environment
from orchestrator.report.site.view import Frame


def page(template: str, frame: Frame, **values: object) -> str:
    """A page: one of the templates of this room, filled."""
    return _templates().get_template(f"{template}.html").render(frame=frame, **values)


@cache
def style() -> str:
    """The style of the pages: that of the report, and what only pages have."""
    found = _templates()
    return found.get_template("style.css").render(matrix=None) + own_style()


@cache
def own_style() -> str:
    """What the pages, and a report among them, have besides the report's style."""
    return _templates().get_template("site.css").render()


@cache
def _templates() -> Environment:
    return environment(__package__)
