"""The colour scale of every picture: one sequence of growing contrast with the paper, for light and for dark paper.

Lightness changes one way only, so that the order of two values is seen by colour-blind readers and in black-and-white print;
the hues follow viridis (dark) and mako (light), whose ends are blended into the paper so that zero leaves no mark.
"""

from __future__ import annotations

LEVELS = 32

_LIGHT = ("#f1f4f4", "#cfe4df", "#93c9c0", "#4ea6a9", "#2c7893", "#2d4c7c", "#2a2150")
_DARK = ("#1d2127", "#2a3463", "#2c5a87", "#2b8591", "#45b389", "#9dd86a", "#fbef7c")


def scale(theme: str) -> list[str]:
    """The `LEVELS` colours from nothing to all, as ``#rrggbb``, for the theme "light" or "dark"."""
    anchors = [_channels(colour) for colour in (_LIGHT if theme == "light" else _DARK)]
    return [_hex(_between(anchors, level / (LEVELS - 1) * (len(anchors) - 1))) for level in range(LEVELS)]


def scale_css() -> str:
    """The scale as custom properties ``--s0`` …, dark ones on a dark screen only, and the classes ``.v0`` … that use them."""
    light, dark = (
        "".join(f"--s{level}:{colour};" for level, colour in enumerate(scale(theme))) for theme in ("light", "dark")
    )
    gradient = ",".join(f"var(--s{level})" for level in range(LEVELS))
    classes = "".join(f".v{level}{{--v:var(--s{level})}}" for level in range(LEVELS))
    return (
        f":root{{{light}--scale:{gradient}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
        f"{classes}\n"
    )


def _between(anchors: list[list[float]], place: float) -> list[float]:
    left = min(int(place), len(anchors) - 2)
    return [a + (b - a) * (place - left) for a, b in zip(anchors[left], anchors[left + 1], strict=True)]


def _channels(colour: str) -> list[float]:
    return [float(int(colour[i : i + 2], 16)) for i in (1, 3, 5)]


def _hex(channels: list[float]) -> str:
    return "#" + "".join(f"{round(channel):02x}" for channel in channels)
