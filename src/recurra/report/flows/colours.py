"""The colours of the figures of gradient flow, in print, on screen and for the colour-blind."""

import re

from recurra.report.canvas import DARK, LIGHT

# Lines. Okabe and Ito's hues, as in `LIGHT`, some darkened to stand out from paper.
LINES_LIGHT = (
    LIGHT["first"],
    LIGHT["second"],
    LIGHT["edge"],
    "#9a4a8f",
    "#4a9fd0",
    "#8f7500",
    LIGHT["baseline"],
)
LINES_DARK = (
    DARK["first"],
    DARK["second"],
    DARK["edge"],
    "#d896cd",
    "#8fd0f5",
    "#d9bf4a",
    DARK["baseline"],
)
# Each line has its own dashes too, so that it is known without its colour: on, off, ... in points.
DASHES: tuple[tuple[float, ...], ...] = (
    (),
    (6, 2),
    (2, 1.5),
    (8, 2, 2, 2),
    (4, 1.5, 1, 1.5, 1, 1.5),
    (1, 1),
    (12, 3),
)

# Cividis (Nuñez, Anderton and Renslow, 2018) at nine even places: equal steps look equal, with
# any kind of colour vision and in grey. What is large stands out from the page in either theme.
HEAT_LIGHT = (
    "#fee838",
    "#dec958",
    "#bcae6c",
    "#9b9476",
    "#7d7c78",
    "#61656f",
    "#434e6c",
    "#1a386f",
    "#00224e",
)
HEAT_DARK = HEAT_LIGHT[::-1]

VARIABLES_LIGHT = {
    **{f"line-{k}": c for k, c in enumerate(LINES_LIGHT) if c not in LIGHT.values()},
    **{f"heat-{k}": c for k, c in enumerate(HEAT_LIGHT)},
}
VARIABLES_DARK = {
    **{f"line-{k}": c for k, c in enumerate(LINES_DARK) if f"line-{k}" in VARIABLES_LIGHT},
    **{f"heat-{k}": c for k, c in enumerate(HEAT_DARK)},
}
_VARIABLES = {colour: f"var(--flow-{name})" for name, colour in VARIABLES_LIGHT.items()}


def heat(bands: int) -> list[str]:
    """Return colours for so many bands, from the smallest values' to the largest ones'.

    Up to nine bands have colours of their own.
    """
    last = len(HEAT_LIGHT) - 1
    return [HEAT_LIGHT[round(k * last / max(1, bands - 1))] for k in range(bands)]


def themed(svg: str) -> str:
    """Return an SVG whose colours that `LIGHT` does not know are named by CSS variables too."""
    return re.sub("#[0-9a-f]{6}", lambda found: _VARIABLES.get(found[0], found[0]), svg)
