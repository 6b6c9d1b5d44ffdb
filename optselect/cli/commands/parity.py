"""optselect parity [NAME...]"""

from __future__ import annotations

import collections
import importlib
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import click


@click.command("parity")
@click.argument("names", nargs=-1)
@click.option("--all", "show_all", is_flag=True, help="A row for every case, not one for every rule and form.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of all cases.")
def command(names: tuple[str, ...], show_all: bool, as_json: bool) -> None:
    """Step the rules (all, or NAMES) beside their Keras twins.

    Every schedule and every clipping, with all flags at their defaults and with none at its default. Exits with 1
    if a rule departs from its twin.

    \b
    Examples:
      optselect parity
      optselect parity adam sgd
    """
    from optselect import parity

    todo = parity.cases(names or None)
    _load_tensorflow_quietly()
    found: list[Any] = []
    with click.progressbar(todo, label="Comparing", file=sys.stderr, hidden=as_json) as bar:
        found.extend(parity.compare(case) for case in bar)
    if as_json:
        click.echo(json.dumps([_row(c) for c in found]))
    else:
        _print(found if show_all else [], found, parity)
    sys.exit(0 if all(c.ok for c in found) else 1)


def _load_tensorflow_quietly() -> None:
    """TensorFlow greets on the descriptor of standard error, below Python, and warns of every graph it traces."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        importlib.import_module("keras")
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _row(comparison: Any) -> dict[str, Any]:
    return {
        "case": comparison.case.name,
        "steps": comparison.steps,
        "absolute": comparison.absolute,
        "relative": comparison.relative,
        "departs": comparison.departs,
        "bit_equal": comparison.bit_equal,
        "ok": comparison.ok,
        "seconds": round(comparison.seconds, 3),
    }


def _print(rows: list[Any], found: list[Any], parity: Any) -> None:
    for c in rows:
        what = "equal to the bit" if c.bit_equal else f"apart by {c.relative:.1e} from step {c.departs}"
        click.echo(f"{'ok   ' if c.ok else 'WRONG'} {c.case.name}: {what}")
    groups: dict[tuple[str, str], list[Any]] = collections.defaultdict(list)
    for c in found:
        groups[c.case.configuration.rule.name, c.case.form].append(c)
    click.echo(f"{'rule':<10} {'form':<8} {'cases':>5} {'bit-equal':>9} {'largest difference':>18} {'seconds':>8}")
    for (rule, form), cases in groups.items():
        bits, worst = sum(c.bit_equal for c in cases), max(c.relative for c in cases)
        mark = "" if all(c.ok for c in cases) else "  WRONG"
        seconds = sum(c.seconds for c in cases)
        click.echo(f"{rule:<10} {form:<8} {len(cases):>5} {bits:>9} {worst:>18.1e} {seconds:>8.1f}{mark}")
    wrong = [c for c in found if not c.ok]
    for c in wrong[:20]:
        click.echo(f"WRONG {c.case.name}: apart by {c.relative:.1e} (relative) from step {c.departs}")
    click.echo(
        f"{len(found)} cases of {parity.STEPS} steps: {sum(c.bit_equal for c in found)} equal to the bit, "
        f"{len(wrong)} wrong. Allowed where not equal: {parity.TOLERANCE:g} relative to the variable."
    )
