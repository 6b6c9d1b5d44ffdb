"""By which the lines of a ledger are known."""

from __future__ import annotations

import dataclasses
import hashlib

__all__ = ["Stamp"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stamp:
    """By which a record is known: the number of its lines and the SHA-256 of their bytes."""

    lines: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Stamp:
        """The stamp of whole lines.

        >>> Stamp.of(b"{}\\n").lines
        1
        """
        return cls(lines=data.count(b"\n"), sha256=hashlib.sha256(data).hexdigest())
