"""How strong the tests of the rules are: every rule is broken in every small way, and the tests must notice.

    uv run python -m benchmarks.mutation [RULE ...] --out examples/records/DATE_mutation

A mutant is one rule's file with one change inside a function: an arithmetic operator, a number, a comparison, the
order of two operands, a term or factor left out, a slot or a hyperparameter taken for another, a root, square, sign
or absolute value left out, max for min, the branches of a choice exchanged. It is executed in this process under the
rule's name, and the checks of the suite run on it until one fails: the example by hand, the numpy formula, the numbers
of other libraries, the Keras twin to the bit, and the laws of `optselect.testing`. A mutant that passes them all has
survived: it is equal to the rule for every use, or a test is missing.
"""

from __future__ import annotations

import ast
import collections
import dataclasses
import doctest
import gc
import importlib
import inspect
import json
import os
import sys
import time
import types
import unittest
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = Path(__file__).parent.parent
_MODULE = "_optselect_mutant"
_DROPPED = {"sqrt", "square", "sign", "abs", "exp", "log", "transpose", "copy"}
_EXCHANGED = {"maximum": "minimum", "minimum": "maximum", "zeros_like": "ones_like", "ones_like": "zeros_like"}
_EXCHANGED |= {"zeros": "ones", "ones": "zeros", "any": "all", "all": "any", "cast": "exact", "exact": "cast"}
_OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add, ast.Mult),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult, ast.Sub),
    ast.Pow: (ast.Mult,),
    ast.MatMult: (),
    ast.Mod: (ast.FloorDiv,),
    ast.FloorDiv: (ast.Mod,),
}
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change. line: in the rule's file. before, after: the statement."""

    rule: str
    line: int
    kind: str
    before: str
    after: str
    code: types.CodeType


# -- making mutants -------------------------------------------------------------------------------------------------


def mutants(name: str) -> Iterator[Mutant]:
    """Every mutant of a rule's file, in the order of its lines."""
    path = ROOT / "optselect" / "optim" / "rules" / f"{name}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    slots, hypers = _slots(tree), _hypers(tree)
    for node, statement, put in _places(tree):
        for kind, other in _variants(node, slots, hypers):
            ast.copy_location(other, node)
            before = ast.unparse(statement)
            put(other)
            ast.fix_missing_locations(tree)
            after = ast.unparse(statement)
            if after != before:
                yield Mutant(name, node.lineno, kind, before, after, compile(tree, str(path), "exec"))
            put(node)


def _places(tree: ast.Module) -> Iterator[tuple[ast.expr, ast.stmt, Callable[[ast.AST], None]]]:
    """Each expression in a function's body, its statement, and what puts another in its place."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        for statement in function.body:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue  # a docstring
            for parent in ast.walk(statement):
                for field, value in ast.iter_fields(parent):
                    if field in ("annotation", "returns", "slice") and not isinstance(parent, ast.Subscript):
                        continue
                    if isinstance(value, ast.expr):
                        yield value, statement, lambda new, p=parent, f=field: setattr(p, f, new)
                    for k, item in enumerate(value if isinstance(value, list) else ()):
                        if isinstance(item, ast.expr):
                            yield item, statement, lambda new, v=value, k=k: v.__setitem__(k, new)


def _variants(node: ast.expr, slots: list[str], hypers: dict[str, str]) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            for other in _OPERATORS.get(type(op), ()):
                yield "operator", ast.BinOp(left, other(), right)
            if isinstance(op, ast.Sub | ast.Div | ast.Pow | ast.Mod | ast.FloorDiv):
                yield "operands exchanged", ast.BinOp(right, op, left)
            yield "right part left out", left
            yield "left part left out", ast.UnaryOp(ast.USub(), right) if isinstance(op, ast.Sub) else right
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield "sign left out", operand
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "not left out", operand
        case ast.BoolOp(op=op, values=values):
            yield "and for or", ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.Constant(value=bool() as value):
            yield "flag", ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield "number", ast.Constant(value + 1)
            yield "number", ast.Constant(value - 1 if isinstance(value, int) else value / 2)
        case ast.Constant(value=str() as value) if value in slots:
            yield from (("slot", ast.Constant(other)) for other in slots if other != value)
        case ast.Compare(left=left, ops=[op], comparators=right):
            yield from (("comparison", ast.Compare(left, [o()], right)) for o in _COMPARISONS.get(type(op), ()))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield "branches exchanged", ast.IfExp(test, orelse, body)
        case ast.Attribute(value=ast.Name(id="self"), attr=attr, ctx=ast.Load()) if attr in hypers:
            same = [name for name, kind in hypers.items() if kind == hypers[attr] and name != attr]
            for other in same[:2]:
                yield "hyperparameter", ast.Attribute(node.value, other, ast.Load())  # type: ignore[attr-defined]
        case ast.Dict(keys=keys, values=values) if len(values) > 1:
            for k in range(len(values) - 1):
                swapped = [*values[:k], values[k + 1], values[k], *values[k + 2 :]]
                yield "values exchanged", ast.Dict(keys, swapped)
        case ast.Call(func=func, args=args, keywords=keywords):
            name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            if name in _DROPPED and len(args) == 1:
                yield f"{name} left out", args[0]
            if name in _EXCHANGED and isinstance(func, ast.Attribute):
                other = ast.Attribute(func.value, _EXCHANGED[name], ast.Load())
                yield f"{_EXCHANGED[name]} for {name}", ast.Call(other, args, keywords)
            if name in ("maximum", "minimum") and len(args) == 2:
                yield from (("bound left out", arg) for arg in args)
            if name in ("where", "choose", "cond") and len(args) == 3:
                yield "branches exchanged", ast.Call(func, [args[0], args[2], args[1]], keywords)
                yield from (("choice left out", arg if name != "cond" else ast.Call(arg, [], [])) for arg in args[1:])
        case _:
            return


def _hypers(tree: ast.Module) -> dict[str, str]:
    """The declared hyperparameters and their annotated types."""
    [kind] = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {
        node.target.id: ast.unparse(node.annotation)
        for node in kind.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call) and isinstance(node.target, ast.Name)
        if getattr(node.value.func, "id", "") == "hyper"
    }


def _slots(tree: ast.Module) -> list[str]:
    """The names under which state is read."""
    read = [
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    ]
    return list(dict.fromkeys(read))


def _executed(mutant: Mutant) -> tuple[type[Any], types.ModuleType]:
    """The mutant's class, in a module of its own."""
    module = types.ModuleType(_MODULE)
    sys.modules[_MODULE] = module  # dataclasses look the module up by its name
    exec(mutant.code, module.__dict__)
    from optselect.optim.rule import Rule

    [made] = [
        v for v in vars(module).values() if inspect.isclass(v) and issubclass(v, Rule) and v.__module__ == _MODULE
    ]
    return made, module


# -- killing them ---------------------------------------------------------------------------------------------------

Check = Callable[[type[Any], types.ModuleType], None]


def _example(rule: type[Any], module: types.ModuleType) -> None:
    """The example in the docstring, with numbers worked by hand."""
    for test in doctest.DocTestFinder(recurse=True).find(module, globs=dict(vars(module))):
        runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.FAIL_FAST)
        assert runner.run(test, out=lambda text: None, clear_globs=False).failed == 0


class _Twin:
    """Where Keras's class goes, in a few steps of every form that it can take: walked once a rule."""

    def __init__(self, rule: type[Any]) -> None:
        from optselect.optim.certify import altered

        self.start, self.grads = _data()
        own = {h.name for h in rule.hypers()}
        pinned = {k: v for k, v in rule.twin_at.items() if k in own}
        other = altered(rule).values()
        forms = [{}, other, *({**other, h.name: h.default} for h in rule.hypers() if h.domain.boolean)]
        self.forms = [{**form, **pinned} for form in forms]
        self.paths = [self._walk(rule, form) for form in self.forms]

    def _walk(self, rule: type[Any], form: dict[str, Any]) -> list[list[np.ndarray]]:
        import keras

        optimizer = getattr(keras.optimizers, rule.twin.rpartition(".")[2])(**rule(**form).twin_arguments())
        variables = [keras.Variable(x, name=f"v{k}") for k, x in enumerate(self.start)]
        optimizer.build(variables)
        path = []
        for grads in self.grads:
            optimizer.apply(grads, variables)
            path.append([v.numpy() for v in variables])
        return path

    def __call__(self, rule: type[Any], module: types.ModuleType) -> None:
        from optselect.optim.rule import Variable

        for form, path in zip(self.forms, self.paths, strict=True):
            made = rule(**form)
            rules = [made.for_variable(Variable(f"v{k}", tuple(x.shape))) for k, x in enumerate(self.start)]
            params, states = list(self.start), [r.init(x) for r, x in zip(rules, self.start, strict=True)]
            for step, (grads, wanted) in enumerate(zip(self.grads, path, strict=True), start=1):
                moved = [r.update(g, p, s, step) for r, g, p, s in zip(rules, grads, params, states, strict=True)]
                params, states = [p for p, _ in moved], [s for _, s in moved]
                for got, want in zip(params, wanted, strict=True):
                    np.testing.assert_array_equal(got, want)


def _data() -> tuple[list[Any], list[list[Any]]]:
    """Three small variables and the gradients of eight steps, entries from far below any epsilon to far above."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    shapes: tuple[tuple[int, ...], ...] = ((4, 3), (3,), ())
    start = [tf.constant(rng.normal(size=s), "float32") for s in shapes]
    scales = [10.0 ** rng.uniform(-8, 2, size=s) for s in shapes]
    grads = [
        [tf.constant(rng.normal(size=s) * scale * moment, "float32") for s, scale in zip(shapes, scales, strict=True)]
        for moment in (1.0, 10.0, 0.01, 0.01, 1.0, 0.001, 0.1, 0.1)
    ]
    return start, grads


def _from_golden(name: str) -> Iterator[tuple[str, Check]]:
    """The golden tests of other libraries' numbers, each case of this rule; they look the rule up in RULES."""
    for path in sorted((ROOT / "tests" / "optim").glob("test_golden*.py")):
        module = importlib.import_module(f"tests.optim.{path.stem}")
        for test in [f for key, f in vars(module).items() if key.startswith("test_") and hasattr(f, "pytestmark")]:
            for mark in test.pytestmark:
                if mark.name != "parametrize" or mark.args[0] != "case":
                    continue
                for k, case in enumerate(mark.args[1]):
                    case = getattr(case, "values", [case])[0] if not isinstance(case, dict) else case
                    if name in json.dumps(case["rule"]).replace('"', " ").split():
                        yield f"{path.stem}[{k}]", lambda rule, module, t=test, c=case: t(c)


def _by_name(name: str) -> Iterator[tuple[str, Check]]:
    """The laws of wrappers, around two rules, and of variables stepped as another rule does."""
    from optselect.optim.rules import RULES

    modules = [importlib.import_module(f"tests.optim.{module}") for module in ("test_wrappers", "test_for_variable")]
    found = [f for m in modules for key, f in vars(m).items() if key.startswith("test_") and hasattr(f, "pytestmark")]
    for test in found:
        named = [(_arguments(mark.args[0]), mark.args[1]) for mark in test.pytestmark if mark.name == "parametrize"]
        cases: list[dict[str, Any]] = [{}]
        for arguments, values in named:
            rows = [getattr(v, "values", v) if len(arguments) > 1 else [v] for v in values]
            own = [dict(zip(arguments, row, strict=True)) for row in rows]
            if arguments == ["inner"]:
                own = [row for row in own if row["inner"] in (RULES["sgd"], RULES["adam"])] or own[:2]
            cases = [{**case, **row} for case in cases for row in own]
        for k, case in enumerate(case for case in cases if case.get("name") == name):
            yield (
                f"{test.__module__.removeprefix('tests.optim.')}[{test.__name__}-{k}]",
                lambda rule, module, t=test, c=case: t(**c),
            )


def _arguments(names: Any) -> list[str]:
    return [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)


def checks(name: str) -> dict[str, Check]:
    """What a rule of that name is held against, the quickest first. What the rule itself fails is left out."""
    from optselect import testing
    from optselect.optim.rules import RULES
    from tests.helpers import references

    rule, formula = RULES[name], getattr(references, name, None)
    found: dict[str, Check] = {"example by hand": _example}
    if formula:
        found["formula"] = lambda r, m: testing.CHECKS["equals_its_reference"](testing.Subject(r, formula))
    if rule.twin:
        found["twin"] = _Twin(rule)
    found |= dict(_from_golden(name)) | dict(_by_name(name))
    slow = ("takes_tensors_as_hyperparameters", "converges_on_a_parabola")
    apart = {*slow, *testing.KERAS_CHECKS, "equals_its_reference", "equals_its_twin"}
    left = [law for law in testing.CHECKS if law not in apart | rule.exempt.keys()]
    for law in (*left, "is_stepped_alike_by_its_keras_optimizer", *slow):
        found[law] = lambda r, m, law=law: testing.CHECKS[law](testing.Subject(r))
    module = importlib.import_module(rule.__module__)
    failing = [key for key, check in found.items() if not _passes(check, rule, module)]
    for key in failing:
        click.echo(f"{name}: left out, for the rule itself fails it: {key}", err=True)
    return {key: check for key, check in found.items() if key not in failing}


def _passes(check: Check, rule: type[Any], module: types.ModuleType) -> bool:
    try:
        check(rule, module)
    except unittest.SkipTest:  # it does not apply
        return True
    except Exception:
        return False
    return True


def killer(mutant: Mutant, against: dict[str, Check]) -> str:
    """The check that noticed, "" if none did."""
    from optselect.optim.rules import RULES
    from tests.optim import test_wrappers

    tables = [table for table in (RULES, test_wrappers.WRAPPERS) if mutant.rule in table]
    original = RULES[mutant.rule]
    try:
        rule, module = _executed(mutant)
        for table in tables:
            table[mutant.rule] = rule
        return next((name for name, check in against.items() if not _passes(check, rule, module)), "")
    except Exception:
        return "import"
    finally:
        for table in tables:
            table[mutant.rule] = original


# -- the run --------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("names", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for log.txt and mutation.json.")
def main(names: tuple[str, ...], out: Path | None) -> None:
    """Break the rules (all, or NAMES) in every small way and count what the tests notice."""
    from optselect.optim.certify.rule_pages import own

    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    results, lines = {}, []

    def say(line: str) -> None:
        click.echo(line)
        lines.append(line)

    for name in names or list(own()):
        began = time.perf_counter()
        against = checks(name)
        survivors, killers, count = [], collections.Counter[str](), 0
        for mutant in mutants(name):
            count += 1
            if count % 50 == 0:
                gc.collect()
            if noticed := killer(mutant, against):
                killers[noticed.partition("[")[0]] += 1
            else:
                survivors.append(mutant)
        killed = sum(killers.values())
        seconds = time.perf_counter() - began
        by = ", ".join(f"{check} {n}" for check, n in killers.most_common())
        say(f"{name:<20} {killed:>4} of {count:>4} killed ({killed / count:.1%}) in {seconds:.0f} s; by {by}")
        for m in survivors:
            place = f"optselect/optim/rules/{name}.py:{m.line}"
            say(f"    survivor {place} ({m.kind})\n      - {m.before}\n      + {m.after}")
        shown = [{k: v for k, v in vars(m).items() if k != "code"} for m in survivors]
        row = {"mutants": count, "killed": killed, "seconds": round(seconds, 1), "killers": dict(killers)}
        results[name] = {**row, "checks": list(against), "survivors": shown}
        if out:
            _write(out, results, lines)
    total, killed = (sum(row[key] for row in results.values()) for key in ("mutants", "killed"))
    say(f"{len(results)} rules: {killed} of {total} mutants killed ({killed / total:.2%}), {total - killed} survived.")
    if out:
        _write(out, results, lines)


def _write(out: Path, results: dict[str, Any], lines: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "mutation.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "log.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
