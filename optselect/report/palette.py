"""One colour an optimizer, in all pictures, light and dark, for every eye.

Eight colours of each palette were chosen from around named hues so that the smallest distance in OKLab between two of
them is as large as can be, under normal sight and under protanopia, deuteranopia and tritanopia (Machado et al. 2009,
at full severity): 0.10 on white, 0.11 on the dark ground, where Okabe & Ito's eight have 0.076. Each stands out from
its ground by 3:1 at least (WCAG 2.2, 1.4.11). From the ninth optimizer on colours come again, with other marks and
dashes.
"""

from __future__ import annotations

__all__ = ["DARK", "DARK_GROUND", "LIGHT", "LIGHT_GROUND", "MARKS", "mark", "styles"]

LIGHT_GROUND, DARK_GROUND = "#ffffff", "#14171c"
LIGHT = ("#4860c0", "#c84000", "#609078", "#a03880", "#c88818", "#402078", "#680008", "#0098f8")
DARK = ("#90a8f8", "#f86800", "#08e0a8", "#d080a8", "#f8e030", "#9070f0", "#b06060", "#b8f0f8")
MARKS = ("dot", "square", "triangle", "diamond", "ring")
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4")  # of lines, beside the marks


def mark(place: int) -> str:
    """The mark of the optimizer at a place; with its colour it is the only one up to forty.

    >>> mark(0), mark(7), mark(8)
    ('dot', 'dot', 'square')
    """
    return MARKS[place // len(LIGHT) % len(MARKS)]


def styles(count: int) -> str:
    """The CSS of so many optimizers: class `aN` sets their colour, `.aN .line` their dash."""
    colours = "".join(
        f"--p{i}:light-dark({light},{dark});" for i, (light, dark) in enumerate(zip(LIGHT, DARK, strict=True))
    )
    rules = [f":root{{{colours}}}"]
    for place in range(count):
        rules.append(f".a{place}{{--c:var(--p{place % len(LIGHT)})}}")
        if dash := _DASHES[place // len(LIGHT) % len(_DASHES)]:
            rules.append(f".a{place} .line{{stroke-dasharray:{dash}}}")
    return "\n".join(rules)
