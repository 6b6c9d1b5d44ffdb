"""Randomness: one master seed a study, every other seed derived from it by name."""

from __future__ import annotations

import hashlib

__all__ = ["derive", "on_fold"]


def derive(seed: int, *names: str | int) -> int:
    """A seed in [0, 2³¹) for a purpose; the same purpose gives the same seed on every machine.

    >>> derive(0, "confirm", 1) == derive(0, "confirm", 1)
    True
    >>> derive(0, "confirm", 1) == derive(0, "confirm", 2)
    False
    """
    text = "\0".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % 2**31


def on_fold(seed: int, number: int, folds: int) -> int:
    """A seed near the given one whose remainder by `folds` is that of `number`: what a split by folds is chosen by.

    >>> [on_fold(seed, number, 5) % 5 for number, seed in enumerate((17, 3, 99))]
    [0, 1, 2]
    >>> on_fold(17, 3, 0)
    17
    """
    if not folds:
        return seed
    near = seed - seed % folds + number % folds
    return near if near < 2**31 else near - folds
