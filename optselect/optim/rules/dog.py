"""DoG: the distance travelled over the gradients seen, in place of a rate."""

from __future__ import annotations

from optselect.optim.hyperparameters import BOOLEAN, NON_NEGATIVE, POSITIVE, choice, hyper, log
from optselect.optim.rule import Rule, Scaling, State, Tensor, choose, exact
from optselect.util.lazy import ops


class DoG(Rule):
    r"""Step against the gradient by the largest distance from the start over the root of all squared gradients.

    With t the step, g the gradient, w₀ the start and norms over the whole model::

        r ← max(r, ‖w - w₀‖)               at first r = r₀ (1 + ‖w₀‖)
        G ← G + ‖g‖²
        w ← w - η r / √(G + ε) g
        a ← a + (w - a) (γ + 1) / (γ + t)

    The authors judge at a, a mean in which late weights count most; with `averaging` off the model is judged at w.

    >>> import keras
    >>> rule = DoG(initial_distance=0.1, epsilon=1e-30)
    >>> grad, param = keras.ops.convert_to_tensor([4.0]), keras.ops.convert_to_tensor([1.0])
    >>> param, state = rule.update(grad, param, rule.init(param), 1)
    >>> round(float(param[0]), 5)       # r = 0.1 · (1 + 1), G = 16: 1 - 0.2 / 4 · 4
    0.8
    """

    name = "dog"
    paper = "Ivgi et al. 2023, arXiv:2302.12022"
    references = "dog-optimizer"
    scope = "model"
    common = False
    scaling = Scaling(powers={})
    good_for = "A first training without any rate to choose: what SGD with a tuned rate and averaging would give."
    weakness = "Slow to leave the start in a short training; behind tuned Adam-like rules where those beat SGD."

    learning_rate: float = hyper(
        default=1.0, domain=POSITIVE, search=log(0.1, 10.0), doc="Factor of the step size that is found."
    )
    initial_distance: float = hyper(
        default=1e-6,
        domain=POSITIVE,
        search=log(1e-8, 1e-3, from_trials=10),
        doc="First distance, as a share of one plus the norm of the weights: 1e-4 with batch norm.",
    )
    epsilon: float = hyper(default=1e-8, domain=POSITIVE, doc="Added to the sum of squares.")
    averaging: bool = hyper(
        default=True,
        domain=BOOLEAN,
        search=choice(True, False, from_trials=25),
        doc="Judge at the mean of the weights.",
    )
    gamma: float = hyper(default=8.0, domain=NON_NEGATIVE, doc="How much more late weights count in the mean.")

    def init(self, param: Tensor) -> State:
        distance = (1 + _norm(param)) * self.initial_distance
        squares = ops.zeros((), dtype=param.dtype)
        return {"start": ops.copy(param), "average": ops.copy(param), "distance": distance, "squares": squares}

    def unused(self, param: Tensor) -> tuple[str, ...]:
        return () if self.averaging else ("average",)

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        t, gamma = ops.cast(step, param.dtype), exact(self.gamma, param.dtype)
        distance = ops.maximum(state["distance"], _norm(param - state["start"]))
        squares = state["squares"] + ops.sum(ops.square(grad))
        rate = exact(self.learning_rate, param.dtype) * distance / ops.sqrt(squares + self.epsilon)
        param = param - rate * grad
        average = state["average"] + (param - state["average"]) * (gamma + 1) / (gamma + t)
        return param, {"start": state["start"], "average": average, "distance": distance, "squares": squares}

    def evaluated(self, param: Tensor, state: State) -> Tensor:
        return choose(self.averaging, state["average"], param)


def _norm(x: Tensor) -> Tensor:
    return ops.sqrt(ops.sum(ops.square(x)))
