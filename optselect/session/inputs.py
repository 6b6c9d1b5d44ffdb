"""What a study was asked about: data, model and how they are judged, in a form that can be asked again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from optselect.data import ClassWeight, Decimal, Labels, MissingTarget, Order, read
from optselect.task import TaskSpec, make_spec

__all__ = ["Question"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """The arguments of `tune` that make the task; what each may be is said there."""

    model: Any
    data: Any
    target: str | Sequence[str] | None = None
    kind: str | Mapping[str, str] | None = None
    sample_weight: Any = None
    class_weight: ClassWeight | None = None
    precision: str | None = None
    epochs: int
    objective: str
    seed: int
    encoding: str | None = None
    separator: str | None = None
    decimal: Decimal | None = None
    dates: Order | None = None
    keep: str | Sequence[str] | None = None
    drop: str | Sequence[str] | None = None
    missing_target: MissingTarget | None = None
    labels: Labels | None = None

    def spec(self, tell: Callable[[str], None] = lambda line: None) -> TaskSpec:
        """The task, read anew from where the data lie. tell: gets a line now and then if reading takes long."""
        data = read(
            self.data,
            target=self.target,
            sample_weight=self.sample_weight,
            encoding=self.encoding,
            separator=self.separator,
            decimal=self.decimal,
            dates=self.dates,
            keep=self.keep,
            drop=self.drop,
            missing_target=self.missing_target,
            labels=self.labels,
            tell=tell,
        )
        return make_spec(
            data,
            model=self.model,
            epochs=self.epochs,
            objective=self.objective,
            seed=self.seed,
            kind=self.kind,
            class_weight=self.class_weight,
            precision=self.precision,
        )

    def to_dict(self) -> dict[str, Any] | None:
        """JSON types only; None where it holds objects of a Python session, which no file can bring back.

        >>> Question(model=None, data=Path("a.csv"), epochs=1, objective="val_loss", seed=0).to_dict()["data"]
        'a.csv'
        >>> Question(model=None, data=([[1.0]], object()), epochs=1, objective="val_loss", seed=0).to_dict()
        """
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        plain = {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
        named = isinstance(plain["data"], str) and isinstance(plain["model"], str | None)
        try:
            return json.loads(json.dumps(plain)) if named else None
        except (TypeError, ValueError):
            return None
