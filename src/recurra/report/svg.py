"""A matplotlib figure as SVG elements inside a page: themed, small, the same bytes each time.

Imports matplotlib: import it inside functions only.
"""

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.colors import to_hex

from recurra.report.canvas import LIGHT
from recurra.report.text import printable, text_width

if TYPE_CHECKING:
    from matplotlib.backend_bases import GraphicsContextBase
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.text import Text

_ANCHORS = {"left": "start", "center": "middle", "right": "end"}
_ROLES = {colour: f"var(--fig-{role})" for role, colour in LIGHT.items()}
_LONG_FRACTION = re.compile(r"-?\d+\.\d{3,}(e-?\d+)?")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


class _TextRenderer(RendererSVG):
    """matplotlib's SVG renderer with texts left to the reader's fonts.

    It looks up no glyph, so that no script is missing one, reads no mathematics, and does not
    depend on `rcParams["svg.fonttype"]`, which belongs to the user.
    """

    def draw_text(
        self,
        gc: "GraphicsContextBase",
        x: float,
        y: float,
        s: str,
        prop: "FontProperties",
        angle: float,
        ismath: object = False,
        mtext: "Text | None" = None,
    ) -> None:
        """Write one <text>, anchored where the `mtext` is, so that other widths do no harm."""
        anchor = "start"
        if mtext is not None:
            anchor = _ANCHORS[mtext.get_horizontalalignment()]
            x = mtext.get_transform().transform(mtext.get_unitless_position())[0]
        style = (
            f"font-size: {prop.get_size_in_points():g}px; text-anchor: {anchor}; "
            f"fill: {to_hex(gc.get_rgb())}"
        )
        attributes = {"x": f"{x:.2f}", "y": f"{y:.2f}", "style": style}
        self.writer.element(  # type: ignore[no-untyped-call]
            "text", printable(s), attrib=attributes
        )

    def draw_tex(
        self,
        gc: "GraphicsContextBase",
        x: float,
        y: float,
        s: str,
        prop: "FontProperties",
        angle: float,
        *,
        mtext: "Text | None" = None,
    ) -> None:
        """Write the text as it is, also under a user's `rcParams["text.usetex"]`."""
        self.draw_text(gc, x, y, s, prop, angle, mtext=mtext)

    def get_text_width_height_descent(
        self, s: str, prop: "FontProperties", ismath: object
    ) -> tuple[float, float, float]:
        """Return an estimate that needs no font."""
        size = prop.get_size_in_points()
        return text_width(s, size), 0.95 * size, 0.22 * size


def inline_svg(figure: "Figure", name: str, label: str) -> str:
    """Return `figure` as one `<svg>` element for an HTML page.

    Args:
        figure: drawn with the colours of `canvas.LIGHT`, which become the CSS variables
            `--fig-<role>`.
        name: starts every id, so that figures on one page do not meet.
        label: what a screen reader says.
    """
    # SVG's unit is 1/72 inch; the figure gets its own resolution back for other outputs.
    dpi = figure.get_dpi()
    figure.set_dpi(72)
    try:
        width, height = figure.get_size_inches() * 72
        text = io.StringIO()
        renderer = _TextRenderer(width, height, text, metadata={"Date": None})  # type: ignore[no-untyped-call]
        figure.draw(renderer)
        renderer.finalize()  # type: ignore[no-untyped-call]
    finally:
        figure.set_dpi(dpi)
    root = ElementTree.fromstring(text.getvalue())
    _plain_names(root)
    _prune(root)
    _rename_ids(root, name)
    for element in root.iter():
        _tidy(element)
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "width": f"{width:g}",
        "height": f"{height:g}",
        "role": "img",
        "aria-label": printable(label),
    }
    return ElementTree.tostring(root, encoding="unicode")


def _plain_names(root: ElementTree.Element) -> None:
    """Drop the namespaces: HTML knows its svg, and the page then names no web address."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {k.rpartition("}")[2]: v for k, v in element.attrib.items()}


def _prune(element: ElementTree.Element) -> None:
    """Drop what says nothing on a page: metadata, page-wide styles, white space, bare groups."""
    kept: list[ElementTree.Element] = []
    for child in element:
        _prune(child)
        if child.tag in ("metadata", "style", "title"):
            continue
        if child.tag in ("g", "defs") and not len(child):
            continue
        if child.tag == "g" and set(child.attrib) <= {"id"}:
            kept.extend(child)
        else:
            kept.append(child)
    element[:] = kept
    element.tail = None
    if element.tag != "text":
        element.text = None


def _rename_ids(root: ElementTree.Element, name: str) -> None:
    """Number the ids that are referred to in the order of the document, and drop the others.

    matplotlib draws them at random.
    """
    used = {reference for element in root.iter() for reference in _references(element)}
    new: dict[str, str] = {}
    for element in root.iter():
        old = element.attrib.pop("id", None)
        if old in used:
            element.set("id", new.setdefault(old, f"{name}-{len(new) + 1}"))
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == "href":
                element.set(key, "#" + new[value[1:]])
            elif "url(#" in value:
                element.set(key, _REFERENCE.sub(lambda m: f"url(#{new[m[1]]})", value))


def _references(element: ElementTree.Element) -> Iterator[str]:
    for key, value in element.attrib.items():
        if key == "href":
            yield value[1:]
        yield from _REFERENCE.findall(value)


def _tidy(element: ElementTree.Element) -> None:
    """Round coordinates to a hundredth of a point and name colours by role."""
    for key, value in element.attrib.items():
        if key == "style":
            for colour, role in _ROLES.items():
                value = value.replace(colour, role)
            element.set(key, value)
        elif key not in ("id", "href", "clip-path"):
            value = _LONG_FRACTION.sub(
                lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), value
            )
            element.set(key, " ".join(value.split()))
