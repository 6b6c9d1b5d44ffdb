"""The code that a user pastes to train with what a study recommends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optselect.optim.configuration import Configuration

__all__ = ["snippet"]


def snippet(best: Configuration, total_steps: int, epochs: int, description: Mapping[str, Any]) -> str:
    """Code to paste where `model`, `x_train` and `y_train` are, and `w_train` where rows have weights.

    description: of the task.
    """
    weights = "sample_weight=w_train, " if description["weighted"] else ""
    imports = dict.fromkeys(["import keras", *best.imports])  # the loss is Keras's, whosever the optimizer is
    policy = description.get("precision")
    before = f"keras.config.set_dtype_policy({policy!r})  # before the model is built\n" if policy else ""
    return (
        "\n".join(imports) + "\n\n" + before + f"optimizer = {best.code(total_steps=total_steps)}\n"
        f"model.compile(optimizer=optimizer, {description['compile_code']})\n"
        f"model.fit(x_train, y_train, {weights}batch_size={best.batch_size}, epochs={epochs})\n"
    )
