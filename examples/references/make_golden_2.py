"""Steps other people's optimizers and writes what they do to tests/resources/golden_beyond_keras_2.json.

Run it where the libraries are, with `--steps 12`:
    pip install torch prodigyopt dadaptation dog-optimizer pytorch_optimizer optax
and put MARS/optimizers/mars.py of github.com/AGI-Arena/MARS on the path. The numbers in the repository come from
the authors' code where there is a package or one function of it: prodigyopt 1.1.2, dadaptation 3.2, dog-optimizer
1.0.3, mars.py; else from torch 2.13.0, pytorch_optimizer 4.1.0 and optax 0.2.8.

All in float64. Numbers of rules that round as Keras does are numbers of float32, so that rounding is nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dadaptation
import jax
import numpy as np
import optax
import prodigyopt
import pytorch_optimizer
import torch
from dog import DoG, PolynomialDecayAverager
from mars import update_fn
from pytorch_optimizer.optimizer.grokfast import gradfilter_ema
from torch.optim.swa_utils import AveragedModel

TABLE, LAYER, SQUARES = [(5, 3)], [(3, 2), (4,)], [(4, 4), (3,)]
SGD = {"name": "sgd", "learning_rate": 0.125, "momentum": 0.875}
torch.set_default_dtype(torch.float64)
jax.config.update("jax_enable_x64", True)


@dataclasses.dataclass
class Run:
    """What a library did: the variables at the end, and where it would judge the model."""

    end: list[np.ndarray]
    judged: list[np.ndarray]


class Model(torch.nn.Module):
    """Variables and nothing else."""

    def __init__(self, start: list[np.ndarray]) -> None:
        super().__init__()
        self.weights = torch.nn.ParameterList([torch.tensor(x) for x in start])


def data(shapes: list[tuple[int, ...]], steps: int, *, rows: bool = False) -> tuple[list[Any], list[Any]]:
    """Start and gradients, the entries of very different size; `rows`: some rows have none in a step."""
    rng = np.random.default_rng(7)
    sizes = [10.0 ** rng.uniform(-3, 0.5, size=shape) if shape[0] != shape[-1] else 1.0 for shape in shapes]
    start = [rng.normal(size=shape) for shape in shapes]
    grads = [[rng.normal(size=shape) * size for shape, size in zip(shapes, sizes, strict=True)] for _ in range(steps)]
    if rows:
        grads = [[g * (rng.random((len(g), 1)) < 0.5) for g in step] for step in grads]
    return start, grads


def torch_run(make: Callable[[Any], Any], start: Any, grads: Any, judge: Any = None, sparse: bool = False) -> Run:
    """Step `make(parameters)`; `judge(model)` gives a callable after each step and, called with none, the variables."""
    model = Model(start)
    optimizer = make(list(model.weights))
    averager = judge(model) if judge else None
    for step in grads:
        for weight, grad in zip(model.weights, step, strict=True):
            weight.grad = torch.tensor(grad)
            if sparse:
                used = torch.nonzero(weight.grad.abs().sum(1))[:, 0]
                weight.grad = torch.sparse_coo_tensor(used[None], weight.grad[used], weight.shape)
        optimizer.step()
        if averager:
            averager.step()
    end = [w.detach().numpy().copy() for w in model.weights]
    return Run(end, [w.detach().numpy().copy() for w in averager.model.weights] if averager else end)


class Polynomial:
    """DoG's own averager."""

    def __init__(self, model: Model) -> None:
        self._averager = PolynomialDecayAverager(model)
        self.step = self._averager.step

    @property
    def model(self) -> Any:
        return self._averager.averaged_model


class Samples:
    """torch's running mean of the weights at steps 4, 7, 10 ..."""

    def __init__(self, model: Model) -> None:
        self._base, self._mean, self._steps = model, AveragedModel(model), 0

    def step(self) -> None:
        self._steps += 1
        if self._steps >= 4 and (self._steps - 4) % 3 == 0:
            self._mean.update_parameters(self._base)

    @property
    def model(self) -> Any:
        return self._mean.module


class Slow:
    """The slow weights of pytorch_optimizer's Lookahead."""

    def __init__(self, model: Model) -> None:
        self._base, self.optimizer = model, None

    def step(self) -> None:
        pass

    @property
    def model(self) -> Model:
        return Model([self.optimizer.state[p]["slow_params"].numpy() for p in self._base.weights])


class Debiased:
    """optax's debiased mean, fed with the weights."""

    def __init__(self, model: Model) -> None:
        self._base, self._mean = model, optax.ema(0.75, debias=True)
        self._state = self._mean.init(self._now())

    def _now(self) -> list[np.ndarray]:
        return [w.detach().numpy().copy() for w in self._base.weights]

    def step(self) -> None:
        self._value, self._state = self._mean.update(self._now(), self._state)

    @property
    def model(self) -> Model:
        return Model([np.array(v) for v in self._value])


def mars_run(**changed: Any) -> Callable[[Any, Any], Run]:
    """The authors' function for one variable, with their defaults."""
    options = {
        "lr": 3e-3, "wd": 0.0, "beta1": 0.95, "beta2": 0.99, "eps": 1e-8, "gamma": 0.025, "lr_1d_factor": 1.0,
        "betas_1d": (0.9, 0.95), "weight_decay_1d": 0.1,
    } | changed  # fmt: skip
    fixed = {"amsgrad": False, "max_exp_avg_sq": 0, "mars_type": "mars-adamw", "optimize_1d": False}

    def run(start: Any, grads: Any) -> Run:
        params = [torch.tensor(x) for x in start]
        m, v, last = ([torch.zeros_like(p) for p in params] for _ in range(3))
        for step, now in enumerate(grads, start=1):
            for k, p in enumerate(params):
                grad = torch.tensor(now[k])
                slots = {"exp_avg": m[k], "exp_avg_sq": v[k], "last_grad": last[k]}
                update_fn(p=p, grad=grad, step=step, is_grad_2d=grad.dim() == 2, **slots, **options, **fixed)
                last[k] = grad
        end = [p.numpy() for p in params]
        return Run(end, end)

    return run


def filtered(start: Any, grads: Any) -> Run:
    """torch's SGD behind pytorch_optimizer's GrokFast filter."""
    model, kept = Model(start), None
    optimizer = torch.optim.SGD(model.parameters(), lr=0.125, momentum=0.875)
    for step in grads:
        for weight, grad in zip(model.weights, step, strict=True):
            weight.grad = torch.tensor(grad)
        kept = gradfilter_ema(model, kept, alpha=0.9, lamb=1.5)
        optimizer.step()
    end = [w.detach().numpy().copy() for w in model.weights]
    return Run(end, end)


def looked_ahead(start: Any, grads: Any) -> Run:
    """pytorch_optimizer's Lookahead around torch's SGD."""
    watched: list[Slow] = []

    def judge(model: Model) -> Slow:
        watched.append(Slow(model))
        watched[0].optimizer = made[0]
        return watched[0]

    made: list[Any] = []

    def make(parameters: Any) -> Any:
        made.append(pytorch_optimizer.Lookahead(torch.optim.SGD(parameters, lr=0.125, momentum=0.875), k=5, alpha=0.75))
        return made[0]

    return torch_run(make, start, grads, judge)


def cases(steps: int) -> list[dict[str, Any]]:
    """Every comparison: the rule as data, where the numbers are from, and the numbers."""
    made = []

    def case(
        rule: dict[str, Any], source: str, shapes: Any, run: Any, tolerance: float = 1e-12, **options: Any
    ) -> None:
        start, grads = data(shapes, steps, **options)
        result = torch_run(run, start, grads, sparse=True) if options.get("rows") else run(start, grads)
        made.append(
            {
                "rule": rule,
                "source": source,
                "tolerance": tolerance,
                "embedding": bool(options.get("rows")),
                "start": [x.tolist() for x in start],
                "gradients": [[x.tolist() for x in step] for step in grads],
                "end": [x.tolist() for x in result.end],
                "judged": [x.tolist() for x in result.judged],
            }
        )

    def stepped(make: Callable[[Any], Any], judge: Any = None) -> Callable[[Any, Any], Run]:
        return lambda start, grads: torch_run(make, start, grads, judge)

    prodigy = {"use_bias_correction": True}
    case({"name": "prodigy"}, "prodigyopt", LAYER, stepped(lambda p: prodigyopt.Prodigy(p, **prodigy)))
    far = {"weight_decay": 0.1, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3, "learning_rate": 0.5}
    theirs = {"lr": 0.5, "weight_decay": 0.1, "betas": (0.8, 0.95), "eps": 1e-3, "d0": 1e-2}
    case(
        {"name": "prodigy", "initial_distance": 1e-2, "coefficient": 2.0, **far},
        "prodigyopt",
        LAYER,
        stepped(lambda p: prodigyopt.Prodigy(p, d_coef=2.0, **prodigy, **theirs)),
    )
    adapt = {"use_bias_correction": True, "decouple": True}
    case({"name": "dadapt_adamw"}, "dadaptation", LAYER, stepped(lambda p: dadaptation.DAdaptAdam(p, **adapt)))
    case(
        {"name": "dadapt_adamw", "initial_distance": 1e-2, **far},
        "dadaptation",
        LAYER,
        stepped(lambda p: dadaptation.DAdaptAdam(p, **adapt, **theirs)),
    )
    case({"name": "dog"}, "dog-optimizer", LAYER, stepped(DoG, Polynomial))
    case(
        {"name": "dog", "initial_distance": 1e-2, "epsilon": 0.1, "learning_rate": 0.5, "averaging": False},
        "dog-optimizer",
        LAYER,
        stepped(lambda p: DoG(p, reps_rel=1e-2, eps=0.1, lr=0.5)),
    )
    # The library decomposes in float32 whatever the variable's dtype.
    case({"name": "soap"}, "pytorch_optimizer", SQUARES, stepped(pytorch_optimizer.SOAP), tolerance=1e-5)
    case(
        {
            "name": "soap", "learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.9, "weight_decay": 0.5,
            "epsilon": 1e-3, "precondition_frequency": 3.0,
        },
        "pytorch_optimizer",
        SQUARES,
        stepped(
            lambda p: pytorch_optimizer.SOAP(
                p, lr=0.02, betas=(0.8, 0.9), weight_decay=0.5, eps=1e-3, precondition_frequency=3
            )
        ),
        tolerance=1e-5,
    )  # fmt: skip
    case({"name": "mars_adamw"}, "mars.py", LAYER, mars_run())
    mars = {
        "name": "mars_adamw", "learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.9, "gamma": 0.1, "rate_1d": 0.5,
        "beta_1_1d": 0.7, "beta_2_1d": 0.8,
    }  # fmt: skip
    case(
        {**mars, "epsilon": 1e-3, "weight_decay": 0.5, "weight_decay_1d": 0.2},
        "mars.py",
        LAYER,
        mars_run(
            lr=0.02, beta1=0.8, beta2=0.9, gamma=0.1, lr_1d_factor=0.5, betas_1d=(0.7, 0.8), eps=1e-3, wd=0.5,
            weight_decay_1d=0.2,
        ),
    )  # fmt: skip
    # The library's epsilons, one of them 1e-15 under the root, are not the authors'; its decay is not masked.
    changed = {"lr": 0.02, "betas": (0.8, 0.9), "gamma": 0.1, "lr_1d": 0.01, "betas_1d": (0.7, 0.8), "eps": 1e-30}
    case(
        {
            "name": "cautious",
            "counted": True,
            "rule": {**mars, "epsilon": 1e-30, "weight_decay": 0.0, "weight_decay_1d": 0.0},
        },
        "pytorch_optimizer",
        LAYER,
        stepped(
            lambda p: pytorch_optimizer.MARS(
                p, weight_decay=0.0, weight_decay_1d=0.0, cautious=True, foreach=False, **changed
            )
        ),
        tolerance=1e-9,
    )
    case(
        {"name": "lazy_adam", "learning_rate": 2.0**-6, "beta_1": 0.875, "beta_2": 1 - 2.0**-6, "epsilon": 2.0**-10},
        "torch",
        TABLE,
        lambda p: torch.optim.SparseAdam(p, lr=2.0**-6, betas=(0.875, 1 - 2.0**-6), eps=2.0**-10),
        rows=True,
    )
    case({"name": "lookahead", "k": 5.0, "alpha": 0.75, "rule": SGD}, "pytorch_optimizer", LAYER, looked_ahead)
    case({"name": "grokfast", "alpha": 0.9, "strength": 1.5, "rule": SGD}, "pytorch_optimizer", LAYER, filtered)
    plain = stepped(lambda p: torch.optim.SGD(p, lr=0.125, momentum=0.875), Samples)
    case({"name": "swa", "start": 4.0, "period": 3.0, "rule": SGD}, "torch", LAYER, plain)
    plain = stepped(lambda p: torch.optim.SGD(p, lr=0.125, momentum=0.875), Debiased)
    case({"name": "ema", "momentum": 0.75, "rule": SGD}, "optax", LAYER, plain)
    return made


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("tests/resources/golden_beyond_keras_2.json"))
    arguments = parser.parse_args()
    lines = ",\n".join(json.dumps(case) for case in cases(arguments.steps))
    arguments.out.write_text(f"[\n{lines}\n]\n")
