"""Randomness: one master seed a study, every other seed derived from it by name."""

from __future__ import annotations

import hashlib

__all__ = ["derive"]


def derive(seed: int, *names: str | int) -> int:
    """A seed in [0, 2³¹) for a purpose; the same purpose gives the same seed on every machine.

    >>> derive(0, "confirm", 1) == derive(0, "confirm", 1)
    True
    >>> derive(0, "confirm", 1) == derive(0, "confirm", 2)
    False
    """
    text = "\0".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % 2**31
