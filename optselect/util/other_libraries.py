"""What optimizers and their arguments are called in other libraries, and what that is here.

One table: the hints of error messages and the page `docs/other-libraries.md` are made from it. It imports nothing, so
that `optselect.errors` can use it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

__all__ = ["ARGUMENTS", "CLASSES", "Elsewhere", "called_here", "note", "page"]


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """One name of another library.

    library: where it is used. name: as it is written there. here: our names for it, the usual one first, none if there
    is no counterpart. note: a full sentence on what is different, or what to do instead.
    """

    library: str
    name: str
    here: tuple[str, ...] = ()
    note: str = ""


_TFA, _TORCH, _OPTAX, _KERAS_2 = "TensorFlow Addons", "PyTorch", "Optax", "Keras 2"
_ONE_CYCLE = "A schedule: `optselect.optimizers.schedules.OneCycle`."
_SCHEDULE = "Pass a schedule as `learning_rate`, for example `LinearWarmup` of `optselect.optimizers.schedules`."
_NO_TENSORS = "It says how PyTorch runs the update; TensorFlow decides that by itself."

CLASSES = (
    Elsewhere(_TFA, "RectifiedAdam", ("RAdam", "radam"), "Warm-up and decay are a schedule, not arguments."),
    Elsewhere(_TFA, "LAMB", ("Lamb", "lamb")),
    Elsewhere(_TFA, "MovingAverage", ("EMA", "ema"), "`fit` ends at the average; no callback has to assign it."),
    Elsewhere(_TFA, "SWA", ("SWA", "swa"), "The name is the same; `start` and `period` count steps."),
    Elsewhere(_TFA, "Lookahead", ("Lookahead", "lookahead"), "The name is the same; the arguments differ."),
    Elsewhere(
        _TFA,
        "SGDW",
        ("SGD", "sgd"),
        "`SGD(momentum=0.9, weight_decay=...)`: every class takes a decoupled `weight_decay`. Here, as in Keras, it is "
        "multiplied by the learning rate; in TensorFlow Addons it was not.",
    ),
    Elsewhere(
        _TFA,
        "AdamW",
        ("AdamW", "adamw"),
        "`weight_decay` is multiplied by the learning rate, as in Keras; in TensorFlow Addons it was not: divide yours "
        "by the learning rate.",
    ),
    Elsewhere(
        _TFA,
        "DecoupledWeightDecayExtension",
        (),
        "Not needed: every class takes `weight_decay`, which is decoupled.",
    ),
    Elsewhere(_TFA, "extend_with_decoupled_weight_decay", (), "Not needed: every class takes `weight_decay`."),
    Elsewhere(_TFA, "MultiOptimizer", (), "Keras has it: `keras.optimizers.MultiOptimizer`."),
    Elsewhere(_TFA, "COCOB", ("DoG", "Prodigy", "dog", "prodigy"), "Not here; these find their step size too."),
    Elsewhere(_TFA, "ConditionalGradient", (), "Not here: use a `kernel_constraint` of Keras."),
    Elsewhere(_TFA, "ProximalAdagrad", ("Ftrl", "ftrl"), "Not here; `Ftrl` makes weights exactly zero too."),
    Elsewhere(
        _TFA,
        "TriangularCyclicalLearningRate",
        ("Triangular", "triangular"),
        "A schedule: `optselect.optimizers.schedules.Triangular`.",
    ),
    Elsewhere(
        _TFA,
        "CyclicalLearningRate",
        ("Triangular", "triangular"),
        "A schedule: `optselect.optimizers.schedules.Triangular`.",
    ),
    Elsewhere(_TORCH, "NAdam", ("Nadam", "nadam")),
    Elsewhere(_TORCH, "SparseAdam", ("LazyAdam", "lazy_adam")),
    Elsewhere(_TORCH, "ASGD", ("EMA", "SWA", "ema", "swa"), "An average around any rule: `EMA(rule='sgd')`."),
    Elsewhere(_TORCH, "AveragedModel", ("SWA", "EMA", "swa", "ema")),
    Elsewhere(_TORCH, "SWALR", ("SWA", "swa"), "A constant rate, or any schedule, inside `SWA`."),
    Elsewhere(
        _TORCH, "OneCycleLR", ("OneCycle", "one_cycle"), "A schedule: `optselect.optimizers.schedules.OneCycle`."
    ),
    Elsewhere(_OPTAX, "noisy_sgd", ("SGD", "sgd"), "Without the noise."),
    Elsewhere(_OPTAX, "amsgrad", ("Adam", "adam"), "`Adam(amsgrad=True)`."),
    Elsewhere(_OPTAX, "sign_sgd", ("Signum", "signum")),
    Elsewhere(_OPTAX, "momo_adam", ("Prodigy", "DAdaptAdamW", "prodigy", "dadapt_adamw"), "Not here."),
)

ARGUMENTS = (
    Elsewhere(f"{_TORCH}, {_KERAS_2}", "lr", ("learning_rate",)),
    Elsewhere(_TORCH, "betas", ("beta_1", "beta_2"), "Two arguments: `beta_1=0.9, beta_2=0.999`."),
    Elsewhere(_TORCH, "eps", ("epsilon",)),
    Elsewhere(_OPTAX, "b1", ("beta_1",)),
    Elsewhere(_OPTAX, "b2", ("beta_2",)),
    Elsewhere(_OPTAX, "b3", ("beta_3",)),
    Elsewhere(_OPTAX, "beta1", ("beta_1",)),
    Elsewhere(_OPTAX, "beta2", ("beta_2",)),
    Elsewhere(_OPTAX, "step_size", ("learning_rate",)),
    Elsewhere(_OPTAX, "eps_root", ("epsilon",)),
    Elsewhere(_OPTAX, "initial_scale", ("initial_accumulator_value",)),
    Elsewhere(f"{_TFA}, {_OPTAX}", "slow_step_size", ("alpha",), "Of `Lookahead`."),
    Elsewhere(f"{_TFA}, {_OPTAX}", "sync_period", ("k",), "Of `Lookahead`."),
    Elsewhere(_TFA, "optimizer", ("rule",), "Of the wrappers: a rule, its name or an optimizer of this package."),
    Elsewhere(_TFA, "average_decay", ("momentum",), "Of `EMA`."),
    Elsewhere(_TFA, "num_updates", (), "Not needed: `EMA` is free of the bias of its start."),
    Elsewhere(_TFA, "dynamic_decay", (), "Not needed: `EMA` is free of the bias of its start."),
    Elsewhere(_TFA, "start_step", ("start",), "`EMA` starts at the first step; `SWA` has `start`."),
    Elsewhere(_TFA, "start_averaging", ("start",), "Of `SWA`, in steps."),
    Elsewhere(_TFA, "average_period", ("period",), "Of `SWA`, in steps."),
    Elsewhere(_TFA, "sma_threshold", (), "`RAdam` has 5, the default there, and it cannot be set."),
    Elsewhere(_TFA, "total_steps", (), _SCHEDULE),
    Elsewhere(_TFA, "warmup_proportion", (), _SCHEDULE),
    Elsewhere(_TFA, "min_lr", (), _SCHEDULE),
    Elsewhere(_TFA, "rectify", (), "`AdaBelief` here is the plain form; `RAdam` is rectified."),
    Elsewhere(_TFA, "weight_decay_rate", ("weight_decay",)),
    Elsewhere(
        _TFA,
        "exclude_from_weight_decay",
        (),
        "Call the method: `optimizer.exclude_from_weight_decay(var_names=[...])`.",
    ),
    Elsewhere(_TFA, "decay_var_list", (), "Call `optimizer.exclude_from_weight_decay(var_list=[...])` for the others."),
    Elsewhere(_TFA, "grad_averaging", (), "`NovoGrad` adds the gradient whole, as with `False` there."),
    Elsewhere(_TFA, "activation", (), "`Yogi` here has the paper's sign."),
    Elsewhere(_KERAS_2, "decay", (), "Pass `keras.optimizers.schedules.InverseTimeDecay` as `learning_rate`."),
    Elsewhere(_TORCH, "lr_decay", (), "Pass `keras.optimizers.schedules.InverseTimeDecay` as `learning_rate`."),
    Elsewhere(_KERAS_2, "schedule_decay", (), "`Nadam` has Keras 3's, which is Dozat's."),
    Elsewhere(_TORCH, "momentum_decay", (), "`Nadam` has Keras's, which is Dozat's: PyTorch's with 1.0."),
    Elsewhere(_TORCH, "wd", ("weight_decay",)),
    Elsewhere(_TORCH, "l2", ("weight_decay",), "Decoupled, not added to the gradient."),
    Elsewhere(_TORCH, "dampening", (), "Not here: it is 0."),
    Elsewhere(_TORCH, "maximize", (), "Minimize the negative loss."),
    Elsewhere(_TORCH, "foreach", (), _NO_TENSORS),
    Elsewhere(_TORCH, "fused", (), _NO_TENSORS),
    Elsewhere(_TORCH, "capturable", (), _NO_TENSORS),
    Elsewhere(_TORCH, "differentiable", (), _NO_TENSORS),
    Elsewhere(_TORCH, "max_norm", ("global_clipnorm",)),
    Elsewhere(_TORCH, "max_grad_norm", ("global_clipnorm",)),
)


def called_here(name: str, known: Iterable[str]) -> list[str]:
    """Which of `known` is meant by a name of another library; the spelling, but for letters, does not matter.

    >>> called_here("rectified_adam", ["adam", "radam", "sgd"]), called_here("betas", ["beta_1", "beta_2", "rho"])
    (['radam'], ['beta_1', 'beta_2'])
    """
    meant = [here for row in _rows(name) for here in row.here]
    return [here for here in dict.fromkeys(meant) if here in set(known)]


def note(name: str) -> str:
    """What the table says about a name of another library; "" if nothing.

    >>> note("sma_threshold")
    '`RAdam` has 5, the default there, and it cannot be set.'
    """
    return next((row.note for row in _rows(name) if row.note), "")


def _rows(name: str) -> list[Elsewhere]:
    return [row for row in (*CLASSES, *ARGUMENTS) if _plain(row.name) == _plain(name)]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def page() -> str:
    """The page of the documentation, in Markdown."""
    return "\n".join([_HEAD, *_table("Class", CLASSES), "", "## Arguments", "", *_table("Argument", ARGUMENTS), ""])


def _table(what: str, rows: Iterable[Elsewhere]) -> list[str]:
    lines = [f"| {what} | Library | Here | Note |", "|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: (row.library, row.name.lower())):
        # Classes and arguments as they are written in code; the names of rules follow from the classes'.
        shown = [name for name in row.here if what == "Argument" or name[0].isupper()]
        lines.append(f"| `{row.name}` | {row.library} | {', '.join(f'`{n}`' for n in shown) or '-'} | {row.note} |")
    return lines


_HEAD = """# Names of other libraries

TensorFlow Addons has ended. Its optimizers, and those of PyTorch, Optax and Keras 2, go by these names in
`optselect.optimizers`. An unknown name or argument is answered with the same hint:

```
>>> from optselect.optimizers import RectifiedAdam
ImportError: cannot import 'RectifiedAdam' from 'optselect.optimizers'. Did you mean 'RAdam'? ...
```

## Strings and saved models

`import optselect` after `import keras` makes the optimizers known to Keras:

- `model.compile("radam")` works, for every optimizer that wraps no other: the string is the rule's name as in
  `optselect tune --optimizers`. Where Keras itself takes the string, as with `"adam"`, it is still Keras's own class.
  `optselect.optimizers.get("lookahead(radam)")` gives any of them.
- `keras.saving.load_model` loads a model that was compiled with one of them. Keras imports no other package by itself:
  without the import it ends with `Could not locate class 'RAdam'` and a configuration that names the module to import,
  `optselect.optimizers`. To predict only, `load_model(path, compile=False)` needs no import.

If Keras is imported later, call `optselect.optimizers.register()`.

## Classes
"""
