"""The surfaces of `optselect demo`, and the classic comparisons: a declaration each, found and never listed twice.

A surface is a function of x and y in plain arithmetic, so it takes arrays (for a map) and tensors (for gradients).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from optselect.errors import UnknownName
from optselect.util.suggestion import suggestion

__all__ = ["CLASSICS", "SURFACES", "Classic", "Surface", "named", "named_classic", "surface"]

Height = Callable[[Any, Any], Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Surface:
    """A function of two numbers, with what is known of it.

    function: from x, y (floats, arrays or tensors of one shape) to a height of that shape. summary: one line. start:
    where the rules are put down. window: the part that is drawn: left, right, bottom, top. minima: where it is lowest;
    empty if that is not known. noise: standard deviation of what is added to each entry of each gradient; a height is
    always without it. steps: that are enough to see something.
    """

    name: str
    function: Height = dataclasses.field(repr=False)
    summary: str
    start: tuple[float, float]
    window: tuple[float, float, float, float]
    minima: tuple[tuple[float, float], ...] = ()
    noise: float = 0.0
    steps: int = 200

    @property
    def lowest(self) -> float | None:
        """The height of the minimum; None if that is not known."""
        return float(self.function(*self.minima[0])) if self.minima else None


SURFACES: dict[str, Surface] = {}


def surface(**facts: Any) -> Callable[[Height], Height]:
    """Declare the function below it as a surface: its name and the first line of its docstring are the surface's."""

    def declared(function: Height) -> Height:
        name = function.__name__.replace("_", "-")
        summary = (function.__doc__ or "").partition("\n")[0]
        SURFACES[name] = Surface(name=name, function=function, summary=summary, **facts)
        return function

    return declared


@surface(start=(1.0, 1.5), window=(-0.5, 4.5, -1.5, 2.5), minima=((3.0, 0.5),))
def beale(x: Any, y: Any) -> Any:
    """Beale's function: a curved valley between steep walls, nearly level before its minimum.

    (1.5 - x + xy)² + (2.25 - x + xy²)² + (2.625 - x + xy³)²; lowest, 0, at (3, 0.5).

    Beale 1958, "On an iterative method for finding a local minimum of a function of more than one variable", Princeton;
    number 5 in Moré, Garbow & Hillstrom 1981, "Testing unconstrained optimization software", ACM TOMS 7(1).
    """
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


@surface(start=(-1.2, 1.0), window=(-1.8, 1.8, -0.7, 2.2), minima=((1.0, 1.0),), steps=400)
def rosenbrock(x: Any, y: Any) -> Any:
    """Rosenbrock's function: a bent valley, found at once and followed slowly.

    100 (y - x²)² + (1 - x)²; lowest, 0, at (1, 1); from (-1.2, 1), as in the paper.

    Rosenbrock 1960, "An automatic method for finding the greatest or least value of a function", Computer Journal 3(3);
    number 1 in Moré, Garbow & Hillstrom 1981.
    """
    return 100 * (y - x**2) ** 2 + (1 - x) ** 2


@surface(start=(-1.0, 1e-3), window=(-1.5, 1.5, -2.2, 2.2), minima=((0.0, 2**0.5), (0.0, -(2**0.5))), steps=180)
def saddle(x: Any, y: Any) -> Any:
    """A saddle, entered a hair beside its ridge: downhill lies to the side, where the slope is almost nothing.

    x² - y² + y⁴/4. Near the origin it is the x² - y² of Alec Radford's animations (2014; in Stanford's CS231n notes,
    "Neural Networks Part 3"); the fourth power is ours and gives it a floor: lowest, -1, at (0, ±√2).
    """
    return x**2 - y**2 + 0.25 * y**4


@surface(start=(-9.0, 1.0), window=(-10.0, 3.0, -2.0, 2.0), minima=((0.0, 0.0),), steps=240)
def valley(x: Any, y: Any) -> Any:
    """A long valley: a parabola a hundred times steeper across than along.

    (0.05 x² + 5 y²) / 2; lowest, 0, at the origin. Its condition number, 100, is what momentum is good for:
    Polyak 1964, "Some methods of speeding up the convergence of iteration methods"; Goh 2017, "Why Momentum Really
    Works", Distill.
    """
    return 0.5 * (0.05 * x**2 + 5 * y**2)


@surface(start=(-4.0, 2.5), window=(-5.0, 2.5, -2.5, 3.5), minima=((0.0, 0.0),), noise=2.0)
def noisy_bowl(x: Any, y: Any) -> Any:
    """A bowl whose gradients are noisy, as those of batches are; all rules get the same noise.

    (x² + 4 y²) / 2; lowest, 0, at the origin. To each entry of each gradient a normal number of standard deviation 2 is
    added: the noisy quadratic of Schaul, Zhang & LeCun 2013, "No more pesky learning rates", arXiv:1206.1106.
    """
    return 0.5 * (x**2 + 4 * y**2)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Classic:
    """A comparison that everybody knows. rules: as on the command line. learning_rate: of all that set none; None for
    the best of each."""

    name: str
    summary: str
    surface: str
    rules: tuple[str, ...]
    learning_rate: float | None = None


CLASSICS: dict[str, Classic] = {}


def _classic(name: str, **facts: Any) -> None:
    """Declare a classic comparison."""
    CLASSICS[name] = Classic(name=name, **facts)


_classic(
    "saddle",
    summary="The rules of Alec Radford's animation on a saddle, all at one rate: who is long in leaving?",
    surface="saddle",
    rules=(
        "sgd",
        "sgd(momentum=0.9)",
        "sgd(momentum=0.9, nesterov=True)",
        "adagrad",
        "adadelta(learning_rate=1.0)",
        "rmsprop",
        "adam",
    ),
    learning_rate=0.03,
)
_classic(
    "momentum",
    summary="Gradient descent with and without momentum in a long valley, each at its best rate.",
    surface="valley",
    rules=("sgd", "sgd(momentum=0.9)"),
)
_classic(
    "nesterov",
    summary="Polyak's momentum against Nesterov's in a long valley, at one rate: what does looking ahead damp?",
    surface="valley",
    rules=("sgd(momentum=0.9)", "sgd(momentum=0.9, nesterov=True)"),
    learning_rate=0.1,
)


def named(name: str) -> Surface:
    """The surface of that name. Raises `UnknownName` with the nearest names.

    >>> named("beale").lowest
    0.0
    """
    if name not in SURFACES:
        raise UnknownName(
            f"demo: no surface is called {name!r}. {suggestion(name, SURFACES)} Or a surface of yours, "
            "FILE.py:FUNCTION, or a data set."
        )
    return SURFACES[name]


def named_classic(name: str) -> Classic:
    """The classic comparison of that name. Raises `UnknownName` with the nearest names.

    >>> named_classic("momentum").rules
    ('sgd', 'sgd(momentum=0.9)')
    """
    if name not in CLASSICS:
        raise UnknownName(f"demo: no classic is called {name!r}. {suggestion(name, CLASSICS)}")
    return CLASSICS[name]
