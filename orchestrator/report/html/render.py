"""The one place where values become HTML: Jinja's templates, everything that they are given escaped."""

from __future__ import annotations

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from orchestrator.report.html.layout import Layout, Parts
from orchestrator.report.html.view import ChangePage, Page
from orchestrator.safe import visible


def render(page: Page, layout: Layout) -> str:
    """The page as one document; a sheet that was asked for is handed out before."""
    templates = environment()
    if layout.part is Parts.SUMMARY:
        style = templates.get_template("summary.css").render()
        return templates.get_template("summary.html").render(
            page=page, style=_Style(style), sheet=None, place=None
        )
    style = templates.get_template("style.css").render(matrix=page.matrix)
    whole = templates.get_template("page.html")
    if layout.sheet is not None:
        layout.sheet.out(style)
        return whole.render(page=page, style=None, sheet=layout.sheet.href, place=layout.place)
    return whole.render(page=page, style=_Style(style), sheet=None, place=layout.place)


def render_change(page: ChangePage, layout: Layout) -> str:
    """A comparison as one document; a sheet that was asked for is handed out before."""
    templates = environment()
    style = templates.get_template("style.css").render(matrix=page.matrix)
    whole = templates.get_template("diff.html")
    if layout.sheet is not None:
        layout.sheet.out(style)
        return whole.render(page=page, style=None, sheet=layout.sheet.href, place=layout.place)
    return whole.render(page=page, style=_Style(style), sheet=None, place=layout.place)


class _Style(str):
    """The style sheet, which is ours: markup to Jinja, since it has no data of others in it."""

    __slots__ = ()

    def __html__(self) -> str:
        return self


@cache
def environment(room: str | None = None) -> Environment:
    """The templates of this room, and before them those of another ``room`` (a package) that uses them."""
    rooms = [__package__] if room is None else [room, __package__]
    return Environment(
        loader=ChoiceLoader([PackageLoader(one, "templates") for one in rooms]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _seen(value: object) -> object:
    """Whatever text a template writes: what a reader cannot see is written out, once more if need be."""
    return visible(value) if type(value) is str else value
