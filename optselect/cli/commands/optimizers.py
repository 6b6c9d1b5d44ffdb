"""optselect optimizers [NAME]"""

from __future__ import annotations

import inspect
import json
from typing import Any

import click


@click.command("optimizers")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the optimizers, or describe NAME: equations, hyperparameters, ranges, paper.

    \b
    Examples:
      optselect optimizers
      optselect optimizers adam
    """
    from optselect.rule import Rule
    from optselect.rules import RULES

    chosen = {name: Rule.named(name)} if name else RULES
    if as_json:
        rows = [_row(rule) for rule in chosen.values()]
        click.echo(json.dumps(rows[0] if name else rows))
    elif name:
        _describe(Rule.named(name))
    else:
        width = max(map(len, RULES))
        for key, rule in RULES.items():
            click.echo(f"{key:<{width}}  {(inspect.getdoc(rule) or '').splitlines()[0]}")


def _row(rule: Any) -> dict[str, Any]:
    return {
        "name": rule.name,
        "summary": (inspect.getdoc(rule) or "").splitlines()[0],
        "paper": rule.paper,
        "twin": rule.twin,
        "hyperparameters": [
            {"name": h.name, "default": h.default, "domain": str(h.domain), "search": _range(h.search), "doc": h.doc}
            for h in rule.hypers()
        ],
    }


def _describe(rule: Any) -> None:
    text = (inspect.getdoc(rule) or "").split("\n>>>")[0].rstrip()
    click.echo(f"{rule.__name__}: {text}\n")
    click.echo("Hyperparameters:")
    for h in rule.hypers():
        click.echo(f"  {h.name} = {h.default!r}, in {h.domain}. {h.doc}")
        if h.search is not None:
            click.echo(f"      searched: {_range(h.search)}")
    click.echo(f"\nPaper: {rule.paper}")
    click.echo(f"Keras: {rule.twin}, held equal by `optselect parity {rule.name}`")


def _range(search: Any) -> str | None:
    if search is None:
        return None
    later = f", from {search.from_trials} trials of the arm" if search.from_trials else ""
    if search.scale == "choice":
        return " or ".join(str(c).lower() for c in search.choices) + later
    scale = {"log": "log-uniform", "linear": "uniform", "log1m": "1 - value log-uniform"}[search.scale]
    return f"{search.low:g} to {search.high:g}, {scale}{later}"
