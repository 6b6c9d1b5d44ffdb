"""Write every file that is generated from the rules: the default search space, their pages, the type stubs.

    uv run just generate

A test of each file fails where it is not what this writes.
"""

from __future__ import annotations

from pathlib import Path

from optselect import spaces
from optselect.optim.certify import rule_pages
from optselect.optim.keras import stubs

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Write them all, in the repository that this file is in."""
    with (ROOT / "search_spaces" / "default.yaml").open("w", encoding="utf-8") as stream:
        spaces.write_yaml(spaces.default_space(), stream)
    rule_pages.write(ROOT / "docs" / "optimizers")
    stubs.write()


if __name__ == "__main__":
    main()
