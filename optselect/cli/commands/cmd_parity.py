"""optselect parity [NAME...]"""

from __future__ import annotations

import collections
import gc
import json
import sys
from typing import Any

import click

from optselect.cli.quiet import load_tensorflow_quietly
from optselect.errors import InvalidValue, OptselectError
from optselect.util.lazy import LazyModule

user_code: Any = LazyModule("optselect.user_code.functions")  # it loads pandas, which `--help` can do without


@click.command("parity")
@click.argument("names", nargs=-1, metavar="[RULE... | FILE.py:NAME]")
@click.option("--only", multiple=True, metavar="RULE", help="Compare this rule only; may be repeated. Same as RULE.")
@click.option(
    "--against",
    metavar="RULE",
    help="The rule that FILE.py:NAME should be. [default: the one that its name, or a base class's, contains]",
)
@click.option("--float64", is_flag=True, help="Compare FILE.py:NAME on float64 variables.")
@click.option("--eager", is_flag=True, help="Step FILE.py:NAME without a graph, several times slower.")
@click.option("--all", "show_all", is_flag=True, help="A row for every case, not one for every rule and form.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array of all comparisons.")
def command(
    names: tuple[str, ...],
    only: tuple[str, ...],
    against: str | None,
    float64: bool,
    eager: bool,
    show_all: bool,
    as_json: bool,
) -> None:
    """Step the rules (all that have a twin, or those named) beside their Keras twins, or your own Keras optimizer
    beside a rule.

    A rule is compared with none of its hyperparameters at the default under every schedule, with all at the default
    under every clipping, and in float64 under every clipping; not under each schedule and each clipping at once.

    NAME in FILE.py is a Keras optimizer: a class, an instance or a function of no arguments. Learning rate,
    clipping and hyperparameters of the rule are taken from it.

    Exits with 1 if anything departs, with 2 if the comparison cannot be made.

    \b
    Examples:
      optselect parity
      optselect parity adam sgd
      optselect parity --only adam
      optselect parity my_optimizer.py:MyAdam
      optselect parity my_optimizer.py:MyLion --against lion
    """
    names = (*names, *only)
    files = [name for name in names if user_code.is_reference(name)]
    if not files and (against or eager or float64):
        raise click.UsageError("--against, --eager and --float64 are for an optimizer of yours: FILE.py:NAME.")
    if files and len(names) > 1:
        raise click.UsageError("Give rules, or one FILE.py:NAME.")
    if files:
        found = [_certified(files[0], against, "float64" if float64 else "float32", eager)]
    else:
        found = _compared(names, quiet=as_json)
    if as_json:
        click.echo(json.dumps([_row(c) for c in found]))
    elif files:
        _print_one(found[0])
    else:
        _print(found, show_all)
    sys.exit(0 if all(c.ok for c in found) else 1)


def _compared(given: tuple[str, ...], *, quiet: bool) -> list[Any]:
    from optselect.optim import certify

    load_tensorflow_quietly()
    names = list(dict.fromkeys(given)) or None
    count = len(certify.cases(names))
    gc.freeze()  # what TensorFlow's import made stays: the collections between families need not look at it
    with click.progressbar(certify.run(names), count, "Comparing", file=sys.stderr, hidden=quiet) as bar:
        return list(bar)


def _certified(reference: str, against: str | None, dtype: Any, eager: bool) -> Any:
    from optselect.optim import certify

    path, name = user_code.split_reference(reference)
    user_code.check_function(path, name, InvalidValue)
    load_tensorflow_quietly()
    optimizer = user_code.load_object(path, name, InvalidValue)
    try:
        if not against:
            against = certify.likely_twin(optimizer)
            click.echo(f"{name} is compared with {against}, for its name; --against RULE names another rule.", err=True)
        return certify.certify(optimizer, against, dtype=dtype, eager=eager)
    except OptselectError:
        raise
    except Exception as problem:  # whatever the user's class raises while it is made or steps
        raise InvalidValue(user_code.where_it_failed(path.resolve(), problem)) from problem


def _row(comparison: Any) -> dict[str, Any]:
    return {
        "case": comparison.name,
        "against": comparison.against,
        "dtype": comparison.dtype,
        "steps": comparison.steps,
        "absolute": comparison.absolute,
        "relative": comparison.relative,
        "departs": comparison.departs,
        "bit_equal": comparison.bit_equal,
        "ok": comparison.ok,
        "seconds": round(comparison.seconds, 3),
    }


def _verdict(c: Any) -> str:
    what = "equal to the bit" if c.bit_equal else f"apart by {c.relative:.1e} (relative) from step {c.departs}"
    return f"{'ok   ' if c.ok else 'WRONG'} {c.name}: {what}"


def _print_one(c: Any) -> None:
    click.echo(f"{c.name} beside {c.against}, {c.steps} steps in {c.dtype}")
    click.echo(c.table())
    click.echo(_verdict(c))


def _print(found: list[Any], show_all: bool) -> None:
    from optselect.optim import certify

    for c in found if show_all else []:
        click.echo(_verdict(c))
    groups: dict[tuple[str, str, str], list[Any]] = collections.defaultdict(list)
    for c in found:
        rule, form, *_ = c.name.split("/")
        groups[rule, form, c.dtype].append(c)
    click.echo(
        f"{'rule':<10} {'form':<8} {'dtype':<8} {'cases':>5} {'bit-equal':>9} {'largest difference':>18} seconds"
    )
    for (rule, form, dtype), some in groups.items():
        bits, worst = sum(c.bit_equal for c in some), max(c.relative for c in some)
        mark = "" if all(c.ok for c in some) else "  WRONG"
        seconds = sum(c.seconds for c in some)
        click.echo(f"{rule:<10} {form:<8} {dtype:<8} {len(some):>5} {bits:>9} {worst:>18.1e} {seconds:>7.1f}{mark}")
    wrong = [c for c in found if not c.ok]
    for c in wrong[:20]:
        click.echo(_verdict(c))
    click.echo(
        f"{len(found)} cases of {certify.STEPS} steps: {sum(c.bit_equal for c in found)} equal to the bit, "
        f"{len(wrong)} wrong. Allowed where not equal: {certify.TOLERANCE:g} relative to the variable."
    )
