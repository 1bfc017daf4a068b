"""One HTML page that needs nothing but itself: no network, no script."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.errors import ArgumentError
from recurra.report.canvas import DARK, LIGHT, require
from recurra.report.text import count_text, loss_text, plural, printable, signed_text

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawing:
    """A figure as the page holds it: its heading, its caption in words, and the SVG if any.

    name: starts the ids in it, and is different for each drawing of a page.
    """

    name: str
    title: str
    caption: str
    svg: "Markup | None"


def embed(figure: "Figure", name: str, title: str, caption: str) -> Drawing:
    """Return `figure` ready for a page; one that has nothing to show leaves its caption."""
    from markupsafe import Markup

    from recurra.report.svg import inline_svg

    if not figure.axes[0].axison:
        return Drawing(name, title, caption, None)
    # The caption says all in words; the picture's own label need only say what it is.
    svg = inline_svg(figure, name, f"{title}: a figure, put in words beside it")
    return Drawing(name, title, caption, Markup(svg))


def render(template: str, **values: object) -> str:
    """Return the page that `template` makes of `values`; all of them are escaped.

    Raises `MissingDependencyError` without jinja2.
    """
    require("jinja2")
    return _environment().get_template(template).render(light=LIGHT, dark=DARK, **values)


def write_page(page: str, path: str | os.PathLike[str]) -> Path:
    """Write `page` to `path` in one move and return the absolute path.

    Missing folders are made. An older file is replaced when the new one is complete, not before.

    Raises `ArgumentError` when `path` cannot be written.
    """
    target = Path(path).expanduser().resolve()
    part = target.with_name(f".recurra-{secrets.token_hex(6)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(page.encode())
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ArgumentError(f"the report cannot be written to {target}: {reason}.") from error
    return target


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def visible(value: Any) -> Any:
        text = isinstance(value, str) and not isinstance(value, Markup)
        return printable(value) if text else value

    environment = Environment(
        loader=PackageLoader("recurra.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "loss": loss_text,
        "signed": signed_text,
        "plural": plural,
        "count": count_text,
    }
    return environment
