"""Let the authors' and other libraries step, and write where they go: tests/resources/golden_beyond_keras_1.json.

pip install torch optax schedulefree madgrad adabelief-pytorch torch_optimizer pytorch_optimizer
python examples/references/make_golden_1.py tests/resources/golden_beyond_keras_1.json

The file was made with torch 2.13.0 (CPU), optax 0.2.8, jax 0.10.2, schedulefree 1.4.1, madgrad 1.3, adabelief-pytorch
0.2.1, torch_optimizer 0.3.0 and pytorch_optimizer 4.1.0. A second argument asks for other than 7 steps.

Left out because they do something else: optax.adan (one minus beta_2), ADOPT of pytorch_optimizer with its own clip
(one step ahead), RAdam of pytorch_optimizer without `degenerated_to_sgd` (skips the first steps), the warm-up of
optax's schedule_free_sgd (begins at zero), torch's RAdam with an epsilon that matters (beside the uncorrected root),
madgrad of optax (takes the root of the step in float32).
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Points = dict[str, list[Any]]
Walk = Callable[[np.ndarray, np.ndarray, list[float]], Points]
Found = tuple[str, str, Walk]  # package, class and how to step it
Values = dict[str, float]


def by_torch(package: str, name: str, build: Callable[[list[Any]], Any]) -> Found:
    """Step a PyTorch optimizer. `build`: makes it from the parameters."""

    def walk(start: np.ndarray, grads: np.ndarray, rates: list[float]) -> Points:
        import torch

        torch.set_default_dtype(torch.float64)  # NAdam and NovoGrad keep a number in it
        param = torch.nn.Parameter(torch.tensor(start))
        optimizer = build([param])
        points: Points = {"points": []}
        for rate, grad in zip(rates, grads, strict=True):
            optimizer.param_groups[0]["lr"] = rate
            param.grad = torch.tensor(grad)
            if hasattr(optimizer, "train"):
                optimizer.train()
            optimizer.step()
            points["points"].append(param.tolist())
            if hasattr(optimizer, "eval"):
                optimizer.eval()
                points.setdefault("evaluated", []).append(param.tolist())
        return points

    return package, name, walk


def by_optax(name: str, build: Callable[[Any, Any], Any]) -> Found:
    """Step an optax optimizer in float64. `build`: makes it from optax and the rates."""

    def walk(start: np.ndarray, grads: np.ndarray, rates: list[float]) -> Points:
        import jax

        jax.config.update("jax_enable_x64", True)
        import optax

        schedule = rates[0] if len(set(rates)) == 1 else lambda count: jax.numpy.asarray(rates)[count]
        optimizer, param = build(optax, schedule), jax.numpy.asarray(start)
        state = optimizer.init(param)
        points: Points = {"points": []}
        for grad in grads:
            updates, state = optimizer.update(jax.numpy.asarray(grad), state, param)
            param = optax.apply_updates(param, updates)
            points["points"].append(param.tolist())
            if hasattr(state, "weight_sum"):
                evaluated = optax.contrib.schedule_free_eval_params(state, param)
                points.setdefault("evaluated", []).append(evaluated.tolist())
        return points

    return "optax", name, walk


def adam(learning_rate: float, beta_1: float, beta_2: float, epsilon: float) -> dict[str, Any]:
    """What PyTorch calls Adam's hyperparameters."""
    return {"lr": learning_rate, "betas": (beta_1, beta_2), "eps": epsilon}


# Who knows a rule: a function a rule, found by its name, which takes all hyperparameters that the file will hold.


def schedule_free_sgd(
    *,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    warmup_steps: float,
    r: float,
    weight_lr_power: float,
) -> Iterator[Found]:
    """The authors' schedulefree, and optax where there is no warm-up and no r."""
    import schedulefree

    both = {"weight_decay": weight_decay, "weight_lr_power": weight_lr_power}
    full = {"lr": learning_rate, "momentum": momentum, "warmup_steps": warmup_steps, "r": r, **both}
    yield by_torch("schedulefree", "SGDScheduleFree", lambda p: schedulefree.SGDScheduleFree(p, **full))
    if not warmup_steps and not r:
        name = "contrib.schedule_free_sgd"
        yield by_optax(name, lambda o, rate: o.contrib.schedule_free_sgd(rate, b1=momentum, **both))


def nadamw(
    *, learning_rate: float, weight_decay: float, beta_1: float, beta_2: float, epsilon: float
) -> Iterator[Found]:
    """torch with a momentum that is at its end from the start, and optax."""
    import torch

    full = {**adam(learning_rate, beta_1, beta_2, epsilon), "weight_decay": weight_decay, "momentum_decay": 1e9}
    build = functools.partial(torch.optim.NAdam, **full, decoupled_weight_decay=True)
    yield by_torch("torch", "optim.NAdam(momentum_decay=1e9)", build)
    rest = {"b1": beta_1, "b2": beta_2, "eps": epsilon, "weight_decay": weight_decay}
    yield by_optax("nadamw", lambda o, rate: o.nadamw(rate, **rest))


def radam(
    *, learning_rate: float, weight_decay: float, beta_1: float, beta_2: float, epsilon: float
) -> Iterator[Found]:
    """optax where nothing decays; torch and pytorch_optimizer where epsilon is too small to matter."""
    import pytorch_optimizer
    import torch

    full = {**adam(learning_rate, beta_1, beta_2, epsilon), "weight_decay": weight_decay}
    if epsilon < 1e-20:
        build = functools.partial(pytorch_optimizer.RAdam, **full, degenerated_to_sgd=True)
        yield by_torch("pytorch_optimizer", "RAdam(degenerated_to_sgd=True)", build)
        yield by_torch("torch", "optim.RAdam", lambda p: torch.optim.RAdam(p, **full, decoupled_weight_decay=True))
    if not weight_decay:
        yield by_optax("radam", lambda o, rate: o.radam(rate, b1=beta_1, b2=beta_2, eps=epsilon))


def adabelief(
    *, learning_rate: float, weight_decay: float, beta_1: float, beta_2: float, epsilon: float
) -> Iterator[Found]:
    """The authors' package, pytorch_optimizer, and optax where nothing decays."""
    import adabelief_pytorch
    import pytorch_optimizer

    full = {**adam(learning_rate, beta_1, beta_2, epsilon), "weight_decay": weight_decay, "weight_decouple": True}
    build = functools.partial(adabelief_pytorch.AdaBelief, **full, rectify=False, print_change_log=False)
    yield by_torch("adabelief-pytorch", "AdaBelief(rectify=False)", build)
    yield by_torch("pytorch_optimizer", "AdaBelief", lambda p: pytorch_optimizer.AdaBelief(p, **full))
    if not weight_decay:
        rest = {"b1": beta_1, "b2": beta_2, "eps": epsilon, "eps_root": epsilon}
        yield by_optax("adabelief", lambda o, rate: o.adabelief(rate, **rest))


def yogi(
    *, learning_rate: float, beta_1: float, beta_2: float, epsilon: float, initial_accumulator_value: float
) -> Iterator[Found]:
    """torch_optimizer, pytorch_optimizer, and optax, which knows one initial value."""
    import pytorch_optimizer
    import torch_optimizer

    full = {**adam(learning_rate, beta_1, beta_2, epsilon), "initial_accumulator": initial_accumulator_value}
    yield by_torch("torch_optimizer", "Yogi", lambda p: torch_optimizer.Yogi(p, **full))
    yield by_torch("pytorch_optimizer", "Yogi", lambda p: pytorch_optimizer.Yogi(p, **full))
    if initial_accumulator_value == 1e-6:
        yield by_optax("yogi", lambda o, rate: o.yogi(rate, b1=beta_1, b2=beta_2, eps=epsilon))


def ademamix(
    *,
    learning_rate: float,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    beta_3: float,
    alpha: float,
    epsilon: float,
    alpha_warmup_steps: float,
    beta_3_warmup_steps: float,
) -> Iterator[Found]:
    """pytorch_optimizer, which has one length for both warm-ups, and optax without them."""
    import pytorch_optimizer

    full = {"lr": learning_rate, "betas": (beta_1, beta_2, beta_3), "eps": epsilon, "weight_decay": weight_decay}
    warm = {"alpha": alpha, "t_alpha_beta3": alpha_warmup_steps or None, "weight_decouple": True}
    yield by_torch("pytorch_optimizer", "AdEMAMix", lambda p: pytorch_optimizer.AdEMAMix(p, **full, **warm))
    if not alpha_warmup_steps and not beta_3_warmup_steps:
        rest = {"b1": beta_1, "b2": beta_2, "b3": beta_3, "alpha": alpha, "eps": epsilon, "weight_decay": weight_decay}
        yield by_optax("contrib.ademamix", lambda o, rate: o.contrib.ademamix(rate, **rest))


def adan(
    *, learning_rate: float, weight_decay: float, beta_1: float, beta_2: float, beta_3: float, epsilon: float
) -> Iterator[Found]:
    """pytorch_optimizer."""
    import pytorch_optimizer

    full = {"lr": learning_rate, "betas": (beta_1, beta_2, beta_3), "eps": epsilon, "weight_decay": weight_decay}
    yield by_torch("pytorch_optimizer", "Adan", lambda p: pytorch_optimizer.Adan(p, **full))


def adopt(*, learning_rate: float, beta_1: float, beta_2: float, epsilon: float) -> Iterator[Found]:
    """pytorch_optimizer with the authors' clip, and optax. None of them decays weights as the authors do."""
    import pytorch_optimizer

    full = {**adam(learning_rate, beta_1, beta_2, epsilon), "clip_lambda": lambda step: (step - 1) ** 0.25}
    yield by_torch("pytorch_optimizer", "ADOPT(clip of t - 1)", lambda p: pytorch_optimizer.ADOPT(p, **full))
    rest = {"b1": beta_1, "b2": beta_2, "eps": epsilon}
    yield by_optax("contrib.adopt", lambda o, rate: o.contrib.adopt(rate, **rest))


def signum(*, learning_rate: float, weight_decay: float, momentum: float) -> Iterator[Found]:
    """pytorch_optimizer, and optax where nothing decays."""
    import pytorch_optimizer

    full = {"lr": learning_rate, "momentum": momentum, "weight_decay": weight_decay}
    yield by_torch("pytorch_optimizer", "SignSGD", lambda p: pytorch_optimizer.SignSGD(p, **full))
    if not weight_decay:
        yield by_optax("signum", lambda o, rate: o.signum(rate, beta=momentum))


def novograd(
    *, learning_rate: float, weight_decay: float, beta_1: float, beta_2: float, epsilon: float
) -> Iterator[Found]:
    """torch_optimizer, pytorch_optimizer and optax."""
    import pytorch_optimizer
    import torch_optimizer

    full = {**adam(learning_rate, beta_1, beta_2, epsilon), "weight_decay": weight_decay}
    yield by_torch("torch_optimizer", "NovoGrad", lambda p: torch_optimizer.NovoGrad(p, **full))
    yield by_torch("pytorch_optimizer", "NovoGrad", lambda p: pytorch_optimizer.NovoGrad(p, **full))
    rest = {"b1": beta_1, "b2": beta_2, "eps": epsilon, "weight_decay": weight_decay}
    yield by_optax("novograd", lambda o, rate: o.novograd(rate, **rest))


def lars(*, learning_rate: float, weight_decay: float, momentum: float, trust_coefficient: float) -> Iterator[Found]:
    """optax where nothing decays; pytorch_optimizer; torch_optimizer, which trusts only where it decays."""
    import pytorch_optimizer
    import torch_optimizer

    both = {"momentum": momentum, "trust_coefficient": trust_coefficient}
    full = {"lr": learning_rate, "weight_decay": weight_decay, **both}
    if not weight_decay:
        yield by_optax("lars", lambda o, rate: o.lars(rate, **both))
    yield by_torch("pytorch_optimizer", "LARS", lambda p: pytorch_optimizer.LARS(p, **full))
    if weight_decay:
        yield by_torch("torch_optimizer", "LARS(eps=0)", lambda p: torch_optimizer.LARS(p, **full, eps=0.0))


def madgrad(*, learning_rate: float, weight_decay: float, momentum: float, epsilon: float) -> Iterator[Found]:
    """The authors' package, torch_optimizer and pytorch_optimizer."""
    import madgrad as authors
    import pytorch_optimizer
    import torch_optimizer

    full = {"lr": learning_rate, "momentum": momentum, "weight_decay": weight_decay, "eps": epsilon}
    yield by_torch("madgrad", "MADGRAD", lambda p: authors.MADGRAD(p, **full))
    yield by_torch("torch_optimizer", "MADGRAD", lambda p: torch_optimizer.MADGRAD(p, **full))
    yield by_torch("pytorch_optimizer", "MADGRAD", lambda p: pytorch_optimizer.MADGRAD(p, **full))


ADAM = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0}
FREE = {"learning_rate": 1.0, "momentum": 0.9, "weight_decay": 0.0, "warmup_steps": 0.0, "r": 0.0}
ADEMAMIX = {"beta_3": 0.9999, "alpha": 5.0, "alpha_warmup_steps": 0.0, "beta_3_warmup_steps": 0.0}
YOGI = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-3, "initial_accumulator_value": 1e-6}
ADAN = {"beta_1": 0.98, "beta_2": 0.92, "beta_3": 0.99}
ADOPT = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.9999, "epsilon": 1e-6}
NOVOGRAD = {"beta_2": 0.25, "epsilon": 1e-6}
LARS = {"learning_rate": 1.0, "momentum": 0.9, "weight_decay": 0.0, "trust_coefficient": 0.001}
MADGRAD = {"learning_rate": 0.01, "momentum": 0.9, "epsilon": 1e-6, "weight_decay": 0.0}

# Each rule as it comes, and with its numbers moved so that the place of each shows.
CASES: list[tuple[str, Values]] = [
    ("schedule_free_sgd", {**FREE, "weight_lr_power": 2.0}),
    ("schedule_free_sgd", {**FREE, "learning_rate": 0.3, "weight_decay": 0.1, "weight_lr_power": 2.0}),
    ("schedule_free_sgd", {**FREE, "momentum": 0.7, "warmup_steps": 5.0, "r": 0.5, "weight_lr_power": 1.5}),
    ("nadamw", {**ADAM, "weight_decay": 0.004}),
    ("nadamw", {**ADAM, "beta_1": 0.6, "beta_2": 0.9, "epsilon": 1e-2, "weight_decay": 0.5}),
    ("radam", ADAM),
    ("radam", {**ADAM, "beta_1": 0.6, "beta_2": 0.9, "epsilon": 1e-2}),
    ("radam", {**ADAM, "beta_2": 0.95, "epsilon": 1e-30, "weight_decay": 0.5}),
    ("adabelief", {**ADAM, "epsilon": 1e-16}),
    ("adabelief", {**ADAM, "beta_1": 0.6, "beta_2": 0.9, "epsilon": 1e-4}),
    ("adabelief", {**ADAM, "beta_2": 0.95, "epsilon": 1e-8, "weight_decay": 0.5}),
    ("yogi", YOGI),
    ("yogi", {**YOGI, "beta_1": 0.6, "beta_2": 0.9, "epsilon": 1e-6, "initial_accumulator_value": 0.1}),
    ("ademamix", {**ADAM, **ADEMAMIX}),
    ("ademamix", {**ADAM, **ADEMAMIX, "beta_2": 0.9, "beta_3": 0.97, "alpha": 2.0, "weight_decay": 0.5}),
    ("ademamix", {**ADAM, **ADEMAMIX, "alpha_warmup_steps": 6.0, "beta_3_warmup_steps": 6.0, "epsilon": 1e-2}),
    ("adan", {**ADAM, **ADAN}),
    ("adan", {**ADAM, "beta_1": 0.9, "beta_2": 0.7, "beta_3": 0.8, "epsilon": 1e-2, "weight_decay": 0.5}),
    ("adopt", ADOPT),
    ("adopt", {**ADOPT, "beta_1": 0.6, "beta_2": 0.9, "epsilon": 1e-2}),
    ("signum", {"learning_rate": 0.01, "momentum": 0.9, "weight_decay": 0.0}),
    ("signum", {"learning_rate": 0.01, "momentum": 0.6, "weight_decay": 0.5}),
    ("novograd", {**ADAM, **NOVOGRAD}),
    ("novograd", {**ADAM, **NOVOGRAD, "beta_1": 0.6, "beta_2": 0.8, "epsilon": 1e-1, "weight_decay": 0.05}),
    ("lars", LARS),
    ("lars", {**LARS, "momentum": 0.6, "weight_decay": 0.3, "trust_coefficient": 0.02}),
    ("madgrad", MADGRAD),
    ("madgrad", {**MADGRAD, "momentum": 0.6, "epsilon": 1e-2, "weight_decay": 0.3}),
]


def problem(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Start and gradients: each entry's of its own size, from far below most epsilons to far above, and some zero."""
    rng = np.random.default_rng(7)
    start = rng.normal(size=(2, 2)).round(2)
    grads = rng.normal(size=(steps, 2, 2)) * np.array([[1e-5, 1e-2], [1.0, 10.0]])
    grads *= rng.random(grads.shape) < 0.9
    return start, np.vectorize(lambda x: float(f"{x:.3g}"))(grads)


def main(path: str, steps: int = 7) -> None:
    """Write the file."""
    start, grads = problem(steps)
    golden, seen = [], set()
    for rule, values in CASES:
        constant = [values["learning_rate"]] * steps
        falling = (np.linspace(1.0, 0.1, steps).round(3) * values["learning_rate"]).tolist()
        for package, name, walk in globals()[rule](**values):
            case = {"rule": rule, "by": f"{package} {importlib.metadata.version(package)}: {name}", "values": values}
            golden.append({**case, "rates": constant, **walk(start, grads, constant)})
            if rule not in seen:  # the first library named above keeps the rate where the paper has it
                golden.append({**case, "rates": falling, **walk(start, grads, falling)})
                seen.add(rule)
    lines = ",\n".join(json.dumps(case) for case in golden)
    head = f'"start": {json.dumps(start.tolist())},\n"gradients": {json.dumps(grads.tolist())}'
    Path(path).write_text(f'{{\n{head},\n"cases": [\n{lines}\n]\n}}\n')
    print(f"{path}: {len(golden)} cases, {steps} steps")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(sys.argv[1], *map(int, sys.argv[2:]))
