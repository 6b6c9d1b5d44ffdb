"""What the kit checks: a rule in all its forms, with gradients that reach its corners."""

from __future__ import annotations

import dataclasses
import math
import unittest
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from optselect.optim.certify import altered
from optselect.optim.rule import Rule
from optselect.util.lazy import tf

__all__ = ["Array", "Check", "Reference", "Subject", "collected", "does_not_apply", "gradients", "near", "same", "walk"]

Array = np.ndarray
Reference = Callable[..., Array]


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is checked: a rule, and what it is compared with.

    Parameters
    ----------
    rule : type[Rule]
        The rule's class.
    reference : Reference, optional
        The rule once more, in numpy and float64; see `check_rule`.
    twin : str, default ""
        The Keras class that the rule equals; "" if there is none.
    """

    rule: type[Rule]
    reference: Reference | None = None
    twin: str = ""

    def forms(self) -> Iterator[Rule]:
        """The rule with every hyperparameter at its default, and with none at its default.

        Yields
        ------
        Rule
            The two rules.
        """
        yield self.rule()
        yield altered(self.rule)

    def every_form(self) -> Iterator[Rule]:
        """The forms of `forms`, and more: flags and defaults can hide what a number does.

        Yields
        ------
        Rule
            Both `forms`; the second with each flag at its default; and one in which counts of steps, powers and other
            numbers that no search changes are far from their defaults.
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

    def judged_elsewhere(self) -> bool:
        """Return whether the model is evaluated at other weights than those at which gradients are taken.

        Returns
        -------
        bool
            Whether it is.
        """
        param = tf.ones(self.shape(2))
        return self.rule().evaluated(param, self.rule().init(param)) is not param

    def shape(self, *shape: int) -> tuple[int, ...]:
        """A shape that suits the rule.

        Parameters
        ----------
        *shape : int
            Any shape.

        Returns
        -------
        tuple of int
            The same shape, or a flat one for a rule that gets all variables joined in one vector.
        """
        return (math.prod(shape),) if self.rule().reach == "model" else shape


Check = Callable[[Subject], None]


def collected(*checks: Check) -> dict[str, Check]:
    """Checks by name, without the underscore of a private function."""
    return {check.__name__.strip("_"): check for check in checks}


def does_not_apply(reason: str) -> NoReturn:
    """End a check that has nothing to say of this rule: pytest, and `check_rule`, call it skipped."""
    raise unittest.SkipTest(reason)


def gradients(shape: tuple[int, ...], steps: int, dtype: str = "float64") -> Array:
    """Random gradients with entries from a millionth to ten, large and small steps mixed.

    Each entry has a preferred direction, so that a rule which waits for agreement finds some.

    Parameters
    ----------
    shape : tuple of int
        Shape of the variable.
    steps : int
        Number of steps.
    dtype : str, default "float64"
        Dtype of the gradients.

    Returns
    -------
    ndarray
        Gradients of shape (steps, ...), followed by the shape of the variable; the same at every call.

    Examples
    --------
    >>> gradients((2, 3), steps=5).shape
    (5, 2, 3)
    """
    rng = np.random.default_rng(3)
    moment = 10.0 ** rng.uniform(-2, 0.5, size=(steps,) + (1,) * len(shape))
    scale = 10.0 ** rng.uniform(-6, 1, size=shape)
    direction = rng.choice([-1.0, 1.0], size=shape)
    made: Array = ((rng.normal(size=(steps, *shape)) + direction) * scale * moment).astype(dtype)
    return made


def walk(rule: Rule, start: Any, grads: Any) -> Any:
    """Take one step per gradient.

    Parameters
    ----------
    rule : Rule
        The rule.
    start : ndarray or tensor
        The variable before the first step.
    grads : ndarray or sequence of tensor
        One gradient per step.

    Returns
    -------
    tensor
        The variable after the last step.

    Examples
    --------
    >>> from optselect.optim.rules.sgd import SGD
    >>> walk(SGD(learning_rate=0.5), np.zeros(1), np.array([[1.0], [-3.0]])).numpy().tolist()
    [1.0]
    """
    param = tf.convert_to_tensor(start)
    state = rule.init(param)
    for step, grad in enumerate(grads, start=1):
        param, state = rule.update(tf.convert_to_tensor(grad), param, state, step)
    return param


def near(got: Any, wanted: Any, tolerance: float = 1e-6) -> None:
    """Assert that all entries are close.

    Parameters
    ----------
    got : ndarray or tensor
        The entries.
    wanted : ndarray or tensor
        What they should be.
    tolerance : float, default 1e-06
        Largest difference, as a fraction of the largest wanted entry.

    Raises
    ------
    AssertionError
        If an entry differs by more.

    Examples
    --------
    >>> near([1.0, 2.0], [1.0, 2.0000001])
    """
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


def same(got: Any, wanted: Any) -> None:
    """Assert that all entries are equal to the bit."""
    np.testing.assert_array_equal(np.asarray(got), np.asarray(wanted), strict=True)
