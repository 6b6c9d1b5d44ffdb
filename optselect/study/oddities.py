"""Signs in a study's trainings that nothing is learned, or that nothing is compared."""

from __future__ import annotations

import math
from collections.abc import Iterable

from optselect.record.entries import TrialRecord

__all__ = ["oddities"]


def oddities(records: Iterable[TrialRecord], objective: str) -> list[str]:
    """Signs in the trainings that nothing is learned or compared, a clause each.

    records: some trainings; those that failed or diverged say nothing.
    """
    whole = [r for r in records if r.outcome in ("complete", "pruned")]
    if not whole:
        return []
    found = []
    norms = [r.curves["gradient_norm"] for r in whole if "gradient_norm" in r.curves]
    losses = [curve for r in whole if len(curve := r.curves.get("loss", [])) > 1]
    values = {r.metrics.get(objective) for r in whole}
    if norms and not any(any(norm) for norm in norms):
        found.append(
            "the gradient is exactly 0 in every training: a layer such as round or argmax stands between the weights "
            "and the loss, or every layer is frozen"
        )
    elif losses and all(len(set(curve)) == 1 for curve in losses):
        found.append("the loss is the same in every epoch of every training: nothing is learned")
    if values == {0.0}:
        found.append(f"`{objective}` is exactly 0 in every training: nothing was compared")
    elif len({r.configuration for r in whole}) > 1 and len(values) == 1 and objective == "val_loss":
        found.append(f"`{objective}` is the same in all {len(whole)} trainings: nothing was compared")
    for name in {name: None for r in whole for name in r.metrics}:
        if name != objective and not any(math.isfinite(r.metrics.get(name, math.nan)) for r in whole):
            found.append(f"`{name}` is not a finite number in any training")
    return found
