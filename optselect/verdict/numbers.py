"""Numbers as the verdict prints them."""

from __future__ import annotations

import math

__all__ = ["number", "seconds", "signed"]

_HUGE = 1e12  # nobody reads more digits


def number(value: float) -> str:
    """Four significant digits, three decimals for shares.

    >>> number(0.98134), number(54.218), number(0.00131), number(123456.7), number(1.0)
    ('0.981', '54.22', '0.00131', '123,457', '1')
    """
    if not math.isfinite(value):
        return str(value)
    if 0.1 <= abs(value) < 1:
        return f"{value:.3f}"
    return f"{value:,.0f}" if 10_000 <= abs(value) < _HUGE else f"{value:.4g}"


def signed(value: float, digits: int | None = None) -> str:
    """With its sign; `digits` after the point, else two significant ones.

    >>> signed(0.44, 2), signed(-1e-6, 2), signed(-0.0312), signed(1234.5)
    ('+0.44', '+0.00', '-0.031', '+1,234')
    """
    if digits is not None:
        return f"{round(value, digits) + 0.0:+.{digits}f}"
    return f"{value:+,.0f}" if 100 <= abs(value) < _HUGE else f"{value:+.2g}"


def seconds(value: float) -> str:
    """Seconds, or minutes from two on.

    >>> seconds(33.2), seconds(600)
    ('33 s', '10 min')
    """
    return f"{value:.0f} s" if value < 120 else f"{value / 60:.0f} min"
