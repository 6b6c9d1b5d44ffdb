"""The code that a user pastes to train with what a study recommends."""

from __future__ import annotations

from collections.abc import Iterator

from optselect.optim.configuration import Configuration
from optselect.optim.rule import Rule
from optselect.task import EarlyStopping, TaskDescription

__all__ = ["snippet"]

_SWAP = "optimizers.SwapEvaluated(swap_on_epoch=True)"


def snippet(
    best: Configuration, total_steps: int, epochs: int, task: TaskDescription, stopping: EarlyStopping | None = None
) -> str:
    """Code to paste where `model`, `x_train` and `y_train` are, and `w_train` and `callbacks` where they were given.

    With callbacks that look at validation data `x_val` and `y_val` are needed too.
    """
    weights = "sample_weight=w_train, " if task.weighted else ""
    imports = dict.fromkeys(["import keras", *best.imports])  # the loss is Keras's, whosever the optimizer is
    policy = task.precision
    before = f"keras.config.set_dtype_policy({policy!r})  # before the model is built\n" if policy else ""
    more = "".join(f"    {line},\n" for line in _watching(best, task, stopping))
    fit = f"x_train, y_train, {weights}batch_size={best.batch_size}, epochs={epochs}"
    return (
        "\n".join(imports)
        + "\n\n"
        + before
        + _compiled(best.code(total_steps=total_steps), task)
        + (f"model.fit(\n    {fit},\n{more})\n" if more else f"model.fit({fit})\n")
    )


def _watching(best: Configuration, task: TaskDescription, stopping: EarlyStopping | None) -> Iterator[str]:
    """The arguments of `fit` for what looks at the validation data after each epoch."""
    callbacks = best.callbacks_code()
    if stopping is not None:
        given = ", ".join(f"{name}={value!r}" for name, value in stopping.arguments().items())
        callbacks.append(f"keras.callbacks.EarlyStopping({given})")
    callbacks += ["*callbacks"] if task.callbacks else []
    if callbacks:
        weights = ", w_val" if task.weighted else ""
        yield f"validation_data=(x_val, y_val{weights})"
        yield f"callbacks=[{', '.join([*([_SWAP] if _is_judged_elsewhere(best) else []), *callbacks])}]"


def _is_judged_elsewhere(best: Configuration) -> bool:
    """Whether its optimizer is ours, with a rule whose weights are evaluated elsewhere than where they are trained."""
    ours = "from optselect import optimizers" in best.imports
    return ours and any(type(part).evaluated is not Rule.evaluated for part in best.rule.parts)


def _compiled(optimizer: str, task: TaskDescription) -> str:
    """The lines that give the model its optimizer, or each of those that its own `compile()` takes."""
    if task.optimizers:
        names = ", ".join(map(repr, task.optimizers))
        return f"for name in [{names}]:\n    setattr(model, name, {optimizer})\n"
    more = f", {task.compile_code}" if task.compile_code else ""
    return f"optimizer = {optimizer}\nmodel.compile(optimizer=optimizer{more})\n"
