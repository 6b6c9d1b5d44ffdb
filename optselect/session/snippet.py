"""The code that a user pastes to train with what a study recommends."""

from __future__ import annotations

from optselect.optim.configuration import Configuration
from optselect.task import TaskDescription

__all__ = ["snippet"]


def snippet(best: Configuration, total_steps: int, epochs: int, task: TaskDescription) -> str:
    """Code to paste where `model`, `x_train` and `y_train` are, and `w_train` where rows have weights."""
    weights = "sample_weight=w_train, " if task.weighted else ""
    imports = dict.fromkeys(["import keras", *best.imports])  # the loss is Keras's, whosever the optimizer is
    policy = task.precision
    before = f"keras.config.set_dtype_policy({policy!r})  # before the model is built\n" if policy else ""
    return (
        "\n".join(imports) + "\n\n" + before + f"optimizer = {best.code(total_steps=total_steps)}\n"
        f"model.compile(optimizer=optimizer, {task.compile_code})\n"
        f"model.fit(x_train, y_train, {weights}batch_size={best.batch_size}, epochs={epochs})\n"
    )
