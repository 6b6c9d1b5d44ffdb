"""optselect optimizers [NAME]"""

from __future__ import annotations

import json

import click


@click.command("optimizers")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, as_json: bool) -> None:
    """List the optimizers, or describe NAME.

    A description has the equations, what the optimizer is good for and where it disappoints, the hyperparameters
    with their ranges, the paper, how it is held to be right, and how to cite it.

    \b
    Examples:
      optselect optimizers
      optselect optimizers adam
      optselect optimizers adam --json
    """
    from optselect.optim.certify import rule_pages
    from optselect.optim.rule import Rule
    from optselect.optim.rules import RULES

    if name:
        rule = Rule.named(name)
        click.echo(json.dumps(rule_pages.described(rule)) if as_json else rule_pages.text(rule))
    elif as_json:
        click.echo(json.dumps([rule_pages.described(rule) for rule in RULES.values()]))
    else:
        width = max(map(len, RULES))
        for key, rule in RULES.items():
            click.echo(f"{key:<{width}}  {rule_pages.summary(rule)}")
