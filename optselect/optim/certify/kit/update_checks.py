"""Checks of the update: shapes, slots, tensors as hyperparameters, kinds of variables."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from optselect.optim import stepping
from optselect.optim.certify.kit.subject import Array, Subject, collected, does_not_apply, gradients, near, walk
from optselect.optim.rule import Rule, Scalar, Variable
from optselect.util.lazy import tf

__all__ = ["CHECKS"]


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
        does_not_apply("its step looks further than at one entry")
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
    if subject.rule().reach == "model":
        does_not_apply("it steps all variables as one")
    variables = [
        Variable("dense/kernel", (4, 3)),
        Variable("conv/kernel", (2, 2, 3, 4)),
        Variable("dense/bias", (3,)),
        Variable("scale", ()),
        Variable("embedding/embeddings", (5, 2), embedding=True),
        Variable("head/kernel", (3, 2), head=True),
    ]
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
    said = False
    for form in (subject.rule(), *subject.every_form()):
        for shape in shapes:
            start, grads = tf.ones(shape), gradients(shape, 4, "float32")
            rule = form.for_variable(Variable("dense/kernel", shape))
            idle = stepping.idle(rule, start)
            said = said or bool(idle)
            plain, filled = _walked(rule, start, grads, frozenset()), _walked(rule, start, grads, idle)
            assert idle <= set(plain[1]), f"`unused` names {sorted(idle - set(plain[1]))}, which is no slot"
            near(filled[0], plain[0])
            for name in set(plain[1]) - idle:
                near(filled[1][name], plain[1][name])
    if not said:
        does_not_apply("it calls no slot unused")


def _walked(rule: Rule, param: Any, grads: Array, filled: frozenset[str]) -> tuple[Any, dict[str, Any]]:
    """Weights and slots after some steps; before each the slots of these names get another value."""
    state = rule.init(param)
    for step, grad in enumerate(grads, start=1):
        state |= {name: state[name] + 1e3 for name in filled}
        param, state = rule.update(tf.convert_to_tensor(grad), param, state, step)
    return param, state


def _leaves_rows_without_gradient_alone(subject: Subject) -> None:
    """Where `rests` says so, stepping the rows that have a gradient gives what stepping all of them gives."""
    resting = [rule for rule in (subject.rule(), *subject.every_form()) if rule.rests()]
    for rule in resting:
        rows, start = [0, 3], np.linspace(-1, 1, 10, dtype="float32").reshape(5, 2)
        grads = gradients((5, 2), 4, "float32")
        grads[:, [1, 2, 4]] = 0
        whole, some = np.asarray(walk(rule, start, grads)), np.asarray(walk(rule, start[rows], grads[:, rows]))
        near(whole[rows], some)
        near(whole[[1, 2, 4]], start[[1, 2, 4]])
    if not resting:
        does_not_apply("it moves rows without a gradient")


CHECKS = collected(
    _keeps_shapes_and_dtypes,
    _has_the_same_slots_in_every_form,
    _takes_tensors_as_hyperparameters,
    _moves_variables_apart_as_together,
    _rests_without_gradient,
    _serves_every_variable,
    _depends_on_no_slot_that_it_calls_unused,
    _leaves_rows_without_gradient_alone,
)
