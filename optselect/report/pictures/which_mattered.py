"""Which hyperparameters mattered, optimizer by optimizer."""

from __future__ import annotations

from optselect.report.evidence import Evidence
from optselect.report.pictures import Drawn
from optselect.report.svg import Frame, fitted, grouped, rect, svg, text
from optselect.study.importance import FEWEST

TITLE = "Which settings mattered"
PLACE = 50
READING = (
    "The longer a bar, the more that setting sets the best tenth of an optimizer's trials apart from the rest "
    "(PED-ANOVA); it speaks of the ranges that were searched, and elsewhere it may be otherwise."
)
_SHOWN = 5  # settings of an optimizer
_ROW = 21


def draw(evidence: Evidence) -> Drawn | str:
    """Bars, the optimizers one under the other."""
    if evidence.verdict is None:
        return "What mattered is computed when the search has ended."
    found = evidence.verdict.importance
    arms = [
        *[arm for arm in evidence.optimizers if arm in found],
        *[arm for arm in found if arm not in evidence.optimizers],
    ]
    if not arms:
        most = max((sum(r.value == r.value for r in evidence.of(arm)) for arm in evidence.optimizers), default=0)
        return (
            f"No optimizer has {FEWEST} whole trials in the search (the most is {most}): with fewer this says nothing."
        )
    frame = Frame(left=190, right=52)
    full = frame.wide - frame.right - frame.left
    parts, rows, y = [], [], 10
    for arm in arms:
        place = evidence.optimizers.index(arm) if arm in evidence.optimizers else 0
        y += 16
        parts.append(text(4, y, arm, kind="name strong"))
        y += 6
        for name, share in list(found[arm].items())[:_SHOWN]:
            said = f"{arm}, {name}: {share:.0%}"
            bar = rect(frame.left, y + 3, frame.left + max(1.0, share * full), y + _ROW - 3, "bar", said)
            parts += [
                text(frame.left - 8, y + 15, fitted(name, frame.left - 12), anchor="end", kind="tick"),
                grouped([bar], f"arm a{place}"),
                text(frame.left + max(1.0, share * full) + 6, y + 15, f"{share:.0%}", kind="tick"),
            ]
            rows.append((arm, name, f"{share:.0%}"))
            y += _ROW
        y += 8
    said = "; ".join(
        f"for {arm} it is {next(iter(found[arm]))} ({next(iter(found[arm].values())):.0%})" for arm in arms[:3]
    )
    return Drawn(
        svg=svg(parts, high=y + 6),
        caption=f"What matters most: {said}.",
        header=("optimizer", "setting", "share"),
        rows=rows,
    )
