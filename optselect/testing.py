"""The checks that every rule passes here, for a rule of your own: a function a check, and a suite for pytest.

In a test file of your package::

    from optselect.testing import rule_suite

    from my_package import MyRule, my_formula

    test_my_rule = rule_suite(MyRule, references={"my_rule": my_formula})

A reference is the rule once more, written from the paper in numpy and in float64: it takes the start, the
gradients of all steps and the hyperparameters by name, and returns the weights at the end.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from optselect.errors import InvalidValue
from optselect.optim import stepping
from optselect.optim.certify import Case, altered, compare
from optselect.optim.configuration import Configuration
from optselect.optim.rule import Rule, Scalar, Variable
from optselect.util.lazy import tf

__all__ = ["CHECKS", "Subject", "check_rule", "gradients", "near", "rule_suite", "walk"]

Array = np.ndarray
Reference = Callable[..., Array]


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is checked: a rule, and what it is held against.

    reference: the independent formula, or None. twin: the Keras class that it equals, or "".
    """

    rule: type[Rule]
    reference: Reference | None = None
    twin: str = ""

    def forms(self) -> Iterator[Rule]:
        """The rule with every hyperparameter at its default, and with none at its default."""
        yield self.rule()
        yield altered(self.rule)

    def every_form(self) -> Iterator[Rule]:
        """Those, and more: flags and defaults can hide what a number does.

        The altered form with each flag turned back; and one in which counts of steps, powers and the like, which no
        search moves, are far from their defaults.
        """
        yield from self.forms()
        other = altered(self.rule)
        for h in self.rule.hypers():
            if h.domain.boolean:
                yield dataclasses.replace(other, **{h.name: h.default})
        free = [h for h in self.rule.hypers() if h.search is None and not h.domain.boolean]
        unsearched = [h for h in free if h.domain.contains(0.0) and h.domain.contains(h.default + 5)]
        if unsearched:
            shorter = {h.name: 0.7 * getattr(other, h.name) for h in self.rule.hypers() if h.name == "learning_rate"}
            yield dataclasses.replace(other, **shorter, **{h.name: h.default + 5 for h in unsearched})

    def shape(self, *shape: int) -> tuple[int, ...]:
        """That shape, or flat for a rule that sees the whole model in one vector."""
        return (math.prod(shape),) if self.rule().reach == "model" else shape


def check_rule(rule: type[Rule], reference: Reference | None = None, twin: str | None = None) -> None:
    """Run every check; the first that fails raises `AssertionError` and says what should hold.

    twin: the Keras class that the rule equals; by default the one that the rule names.

    >>> from optselect.optim.rules.sgd import SGD
    >>> check_rule(SGD, twin="")
    """
    subject = Subject(rule, reference, rule.twin if twin is None else twin)
    for name, check in CHECKS.items():
        try:
            check(subject)
        except AssertionError as failure:
            claim = (check.__doc__ or "").splitlines()[0]
            raise AssertionError(f"{rule.__name__}, {name}: {claim}\n{failure}") from failure


def rule_suite(*rules: type[Rule], references: Mapping[str, Reference] | None = None) -> Callable[..., None]:
    """A test function for pytest: each check of each rule is a test of its own.

    references: the formula of a rule by the rule's name; a rule without one is not held against any.
    """
    import pytest

    known = references or {}
    cases = [
        pytest.param(check, Subject(rule, known.get(rule.name), rule.twin), id=f"{rule.name}-{name}")
        for rule in rules
        for name, check in CHECKS.items()
    ]

    @pytest.mark.parametrize(("check", "subject"), cases)
    def test_rule(check: Callable[[Subject], None], subject: Subject) -> None:
        """Every check of `optselect.testing` holds for every rule."""
        check(subject)

    return test_rule


# -- what the checks share ------------------------------------------------------------------------------------------


def gradients(shape: tuple[int, ...], steps: int, dtype: str = "float64") -> Array:
    """Random gradients, entries from a millionth to ten, large and small steps mixed: shape (steps, *shape).

    Each entry has a direction that it prefers, so that a rule which waits for agreement finds some.
    """
    rng = np.random.default_rng(3)
    moment = 10.0 ** rng.uniform(-2, 0.5, size=(steps,) + (1,) * len(shape))
    scale = 10.0 ** rng.uniform(-6, 1, size=shape)
    direction = rng.choice([-1.0, 1.0], size=shape)
    made: Array = ((rng.normal(size=(steps, *shape)) + direction) * scale * moment).astype(dtype)
    return made


def walk(rule: Rule, start: Any, grads: Any) -> Any:
    """Where the rule ends that starts at `start` and meets `grads` one after the other."""
    param = tf.convert_to_tensor(start)
    state = rule.init(param)
    for step, grad in enumerate(grads, start=1):
        param, state = rule.update(tf.convert_to_tensor(grad), param, state, step)
    return param


def near(got: Any, wanted: Any, tolerance: float = 1e-6) -> None:
    """Assert that all entries agree, to `tolerance` of the largest."""
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


# -- the checks -----------------------------------------------------------------------------------------------------


def _is_declared_in_full(subject: Subject) -> None:
    """Defaults and searches lie in their domains, docs are sentences, and the learning rate is searched at once."""
    for h in subject.rule.hypers():
        assert h.domain.contains(h.default), f"`{h.name}`: the default {h.default} is outside {h.domain}"
        assert h.doc.endswith("."), f"`{h.name}`: write `doc` as a sentence"
        if h.search is None:
            assert h.name != "learning_rate", "`learning_rate` needs a search"
            continue
        assert h.search.from_trials in {0, 10, 25, 50}, f"`{h.name}`: from_trials is 0, 10, 25 or 50"
        assert h.name != "learning_rate" or h.search.from_trials == 0, "`learning_rate` is searched from the start"
        ends = h.search.choices if h.search.scale == "choice" else (h.search.low, h.search.high)
        assert all(h.domain.contains(end) for end in ends), f"`{h.name}`: the search {ends} leaves {h.domain}"
        assert h.search.scale == "choice" or h.search.low < h.search.high, f"`{h.name}`: low must be below high"


def _refuses_what_is_outside_its_domains(subject: Subject) -> None:
    """A value outside its domain is refused with who, what, the domain and what was got."""
    for h in subject.rule.hypers():
        domain = h.domain
        outside: list[Any] = [math.nan, math.inf, "0.1", None, 2 if domain.boolean else True]
        if not domain.boolean:
            outside += [domain.low - 1 if math.isfinite(domain.low) else -math.inf]
            outside += [domain.high + 1 if math.isfinite(domain.high) else math.inf]
            outside += [domain.low] if domain.low_open and math.isfinite(domain.low) else []
            outside += [domain.high] if domain.high_open and math.isfinite(domain.high) else []
        for value in outside:
            said = ""
            try:
                subject.rule(**{h.name: value})
            except InvalidValue as refused:
                said = str(refused)
            wanted = f"{subject.rule.__name__}: `{h.name}` must lie in {domain}, got {value!r}."
            assert said == wanted, f"wanted the message {wanted!r}, got {said!r}"


def _keeps_shapes_and_dtypes(subject: Subject) -> None:
    """The variable and every slot keep name, shape and dtype; an elementwise rule's slot has its shape or none."""
    shapes = [subject.shape(2, 3)] if subject.rule().reach == "model" else [(2, 3), (3,), (), (2, 1, 2, 3)]
    for shape in shapes:
        for dtype in ("float32", "float64"):
            for rule in subject.forms():
                param = tf.ones(shape, dtype)
                before = rule.init(param)
                assert not any(slot is param for slot in before.values()), "a slot is the variable itself: copy it"
                moved, after = rule.update(param, param, before, 1)
                assert (moved.shape, moved.dtype) == (param.shape, param.dtype)
                got, wanted = ({k: (v.shape, v.dtype) for k, v in s.items()} for s in (after, before))
                assert got == wanted, f"slots after a step {got}, before it {wanted}"
                if rule.reach == "entry":
                    assert all(slot.shape in (shape, ()) for slot in before.values())


def _has_the_same_slots_in_every_form(subject: Subject) -> None:
    """The slots have the same names and shapes whatever the hyperparameters, so that one program holds them."""
    param = tf.ones(subject.shape(2, 2))
    plain, other = ({k: v.shape for k, v in rule.init(param).items()} for rule in subject.forms())
    assert plain == other, f"by default {plain}, else {other}"


def _takes_tensors_as_hyperparameters(subject: Subject) -> None:
    """One traced program, hyperparameters as tensors, gives the numbers of the rule with Python numbers."""
    shape = subject.shape(2, 2)
    start, grads = np.array([1.0, -2.0, 0.5, 3.0]).reshape(shape), gradients(shape, 8)

    def walked(numbers: list[Any]) -> Any:
        return walk(subject.rule().with_numbers([Scalar(n) for n in numbers]), start, grads)

    traced = tf.function(walked, autograph=False)
    for rule in subject.forms():
        tensors = [tf.constant(n, "bool" if isinstance(n, bool) else "float64") for n in rule.numbers()]
        near(traced(tensors), walk(rule, start, grads))
    count = traced.experimental_get_tracing_count()
    assert count == 1, f"traced {count} times"


def _moves_variables_apart_as_together(subject: Subject) -> None:
    """Where a rule says that it is elementwise, two variables joined move as they move alone."""
    if subject.rule().reach != "entry":
        return
    start, grads = np.linspace(-1, 1, 7, dtype="float32"), gradients((7,), 10, "float32")
    for rule in subject.forms():
        apart = [walk(rule, start[part], grads[:, part]) for part in (slice(0, 4), slice(4, 7))]
        near(walk(rule, start, grads), np.concatenate(apart))


def _rests_without_gradient(subject: Subject) -> None:
    """Weights at zero that see no gradient stay (almost) at zero; others stay finite and do not grow."""
    shape = subject.shape(2, 3)
    for rule in subject.forms():
        still = np.asarray(walk(rule, np.zeros(shape, "float32"), np.zeros((5, *shape), "float32")))
        assert np.abs(still).max() < 2e-2, f"from zero, without gradient, to {still}"
        start = np.linspace(-1, 1, math.prod(shape), dtype="float32").reshape(shape)
        end = np.asarray(walk(rule, start, np.zeros((5, *shape), "float32")))
        assert np.isfinite(end).all()
        assert (np.abs(end) <= np.abs(start) + 2e-2).all(), f"from {start}, without gradient, to {end}"


def _serves_every_variable(subject: Subject) -> None:
    """For a kernel, a bias, a scalar, a table and the head it gives a rule, tensors or numbers alike."""
    variables = [
        Variable("dense/kernel", (4, 3)),
        Variable("conv/kernel", (2, 2, 3, 4)),
        Variable("dense/bias", (3,)),
        Variable("scale", ()),
        Variable("embedding/embeddings", (5, 2), embedding=True),
        Variable("head/kernel", (3, 2), head=True),
    ]
    if subject.rule().reach == "model":
        return
    for rule in subject.every_form():
        numbers = [tf.constant(n, "bool" if isinstance(n, bool) else "float64") for n in rule.numbers()]
        weak = rule.with_numbers([Scalar(n) for n in numbers])
        for variable in variables:
            start, grads = np.ones(variable.shape), gradients(variable.shape, 3)
            end = np.asarray(walk(rule.for_variable(variable), start, grads))
            assert end.shape == variable.shape
            assert np.isfinite(end).all(), f"{variable.path}: {end}"
            near(walk(weak.for_variable(variable), start, grads), end)


def _depends_on_no_slot_that_it_calls_unused(subject: Subject) -> None:
    """What stands in a slot that `unused` names changes neither the weights nor any other slot."""
    shapes = [subject.shape(4, 3)] if subject.rule().reach == "model" else [(4, 3), (3,)]
    for form in (subject.rule(), *subject.every_form()):
        for shape in shapes:
            start, grads = tf.ones(shape), gradients(shape, 4, "float32")
            rule = form.for_variable(Variable("dense/kernel", shape))
            idle = stepping.idle(rule, start)
            plain, filled = _walked(rule, start, grads, frozenset()), _walked(rule, start, grads, idle)
            assert idle <= set(plain[1]), f"`unused` names {sorted(idle - set(plain[1]))}, which is no slot"
            near(filled[0], plain[0])
            for name in set(plain[1]) - idle:
                near(filled[1][name], plain[1][name])


def _walked(rule: Rule, param: Any, grads: Array, filled: frozenset[str]) -> tuple[Any, dict[str, Any]]:
    """Weights and slots after some steps; before each the slots of these names get another value."""
    state = rule.init(param)
    for step, grad in enumerate(grads, start=1):
        state |= {name: state[name] + 1e3 for name in filled}
        param, state = rule.update(tf.convert_to_tensor(grad), param, state, step)
    return param, state


def _leaves_rows_without_gradient_alone(subject: Subject) -> None:
    """Where `rests` says so, stepping the rows that have a gradient gives what stepping all of them gives."""
    for rule in (subject.rule(), *subject.every_form()):
        if not rule.rests():
            continue
        rows, start, grads = (
            [0, 3],
            np.linspace(-1, 1, 10, dtype="float32").reshape(5, 2),
            gradients((5, 2), 4, "float32"),
        )
        grads[:, [1, 2, 4]] = 0
        whole, some = np.asarray(walk(rule, start, grads)), np.asarray(walk(rule, start[rows], grads[:, rows]))
        near(whole[rows], some)
        near(whole[[1, 2, 4]], start[[1, 2, 4]])


def _is_stepped_alike_by_its_keras_optimizer(subject: Subject) -> None:
    """The Keras optimizer made of the rule ends where the rule ends: no slot is read after it has been written."""
    keras, optimizers = importlib.import_module("keras"), importlib.import_module("optselect.optimizers")
    shapes = [subject.shape(2, 3), subject.shape(1, 3)]
    starts = [np.linspace(-1, 2, math.prod(shape), dtype="float32").reshape(shape) for shape in shapes]
    grads = [gradients(shape, 4, "float32") for shape in shapes]
    for rule in subject.forms():
        variables = [keras.Variable(start, name=f"kernel_{i}") for i, start in enumerate(starts)]
        optimizer, facts = optimizers.get(rule), stepping.facts(variables)
        rate = tf.constant(rule.rate, "float32")
        stepped = rule.with_numbers(rule.numbers(), learning_rate=rate)
        params: list[Any] = [tf.constant(start) for start in starts]
        states = stepping.init(stepped, params, facts)
        for step in range(len(grads[0])):
            now = [tf.constant(of[step]) for of in grads]
            optimizer.apply(now, variables)
            params, states = stepping.update(stepped, now, params, states, step + 1, facts)
        for variable, param in zip(variables, params, strict=True):
            near(variable.value, param)


def _converges_on_a_parabola(subject: Subject) -> None:
    """With some rate of its search range a rule comes from afar to within a hundredth of the minimum's distance."""
    made = subject.rule()
    [search] = [h.search for h in made.base.hypers() if h.name == "learning_rate"]
    assert search, "`learning_rate` needs a search"
    target, curvature = tf.constant([1.0, -2.0, 3.0]), tf.constant([0.3, 1.0, 2.0])

    def descend(rate: Any) -> Any:
        rule = made.with_numbers(made.numbers(), learning_rate=rate)

        def body(step: Any, param: Any, state: Any) -> Any:
            return step + 1, *rule.update(curvature * (param - target), param, state, step)

        start = tf.zeros((3,))
        first = (tf.constant(1), start, rule.init(start))
        _, param, state = tf.while_loop(lambda step, *_: step <= 3000, body, first)
        return rule.evaluated(param, state)

    traced = tf.function(descend, autograph=False)
    rates = np.geomspace(search.low, search.high, 7)
    away = [float(np.abs(traced(tf.constant(r, "float32")) - target).max()) for r in rates]
    assert np.nanmin(away) < 0.03, f"distances from the minimum by rate: {dict(zip(rates, away, strict=True))}"


def _equals_its_reference(subject: Subject) -> None:
    """In float64 a rule ends where an independent formula ends, to a millionth."""
    if subject.reference is None:
        return
    shape = subject.shape(4, 4)
    start, grads = np.random.default_rng(4).normal(size=shape), gradients(shape, 50)
    for rule in subject.every_form():
        # Keras rounds hyperparameters to float32 also in float64; numbers that are float32 already make that nothing.
        exact = [n if isinstance(n, bool) else float(np.float32(n)) for n in rule.numbers()]
        made = rule.with_numbers(exact)
        near(walk(made, start, grads), subject.reference(start.copy(), grads, **made.values()))


def _equals_its_twin(subject: Subject) -> None:
    """Beside the Keras class, where the rule says that it equals it: no float32 differs, nor a default."""
    if not subject.twin:
        return
    module, _, name = subject.twin.rpartition(".")
    keras, pinned = importlib.import_module("keras"), subject.rule.twin_at
    config = getattr(importlib.import_module(module), name)().get_config()
    defaults = {h.name: h.default for h in subject.rule.hypers() if h.name not in pinned}
    theirs = {key: _close(config.get(key), value) for key, value in defaults.items()}
    assert defaults == theirs, f"defaults here {defaults}, in Keras {theirs}"
    beyond = {key for key, value in config.items() if isinstance(value, bool | int | float)}
    missing = beyond - set(keras.optimizers.Optimizer(0.1).get_config()) - set(subject.rule.known()) - set(pinned)
    assert not missing, f"the twin has {missing}, which the rule lacks"
    if subject.twin == subject.rule.twin:
        for form, rule in zip(("default", "altered"), subject.forms(), strict=True):
            own = {h.name: pinned[h.name] for h in rule.hypers() if h.name in pinned}
            there = Configuration(rule=dataclasses.replace(rule, **own))
            comparison = compare(Case(form, there), steps=40)  # type: ignore[arg-type]
            assert comparison.bit_equal, comparison


def _close(theirs: Any, ours: Any) -> Any:
    """`ours` if Keras's number is the same but for float32, else Keras's; its None means that a part is off."""
    return ours if math.isclose(theirs or 0.0, ours, rel_tol=1e-6) else theirs


CHECKS: dict[str, Callable[[Subject], None]] = {
    check.__name__.strip("_"): check
    for check in (
        _is_declared_in_full,
        _refuses_what_is_outside_its_domains,
        _keeps_shapes_and_dtypes,
        _has_the_same_slots_in_every_form,
        _takes_tensors_as_hyperparameters,
        _moves_variables_apart_as_together,
        _rests_without_gradient,
        _serves_every_variable,
        _depends_on_no_slot_that_it_calls_unused,
        _leaves_rows_without_gradient_alone,
        _is_stepped_alike_by_its_keras_optimizer,
        _converges_on_a_parabola,
        _equals_its_reference,
        _equals_its_twin,
    )
}
