"""Reduce on plateau: a constant rate that is multiplied by a factor where the validation loss stops falling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optselect.optim.hyperparameters import NON_NEGATIVE, Domain, choice, hyper, log
from optselect.optim.schedule import Schedule, Tensor
from optselect.optim.schedules.constant import Constant


class ReduceOnPlateau(Schedule):
    """The same rate until `val_loss` has not improved for `patience` epochs, then `factor` of it; and so on.

    It is Keras's `ReduceLROnPlateau`, its names and its defaults. Lengths are numbers of epochs. What it does depends
    on the training: `rates` are those of a training whose loss always falls.

    >>> ReduceOnPlateau(patience=2).callbacks_code()
    ['keras.callbacks.ReduceLROnPlateau(patience=2)']
    """

    name = "reduce_on_plateau"
    common = False
    plain = True
    watcher = "keras.callbacks.ReduceLROnPlateau"

    factor: float = hyper(
        default=0.1, domain=Domain(low=0.0, high=1.0), search=log(0.05, 0.5, from_trials=25), doc="What a rate becomes."
    )
    patience: float = hyper(
        default=10,
        domain=NON_NEGATIVE,
        search=choice(2, 5, 10, from_trials=10),
        doc="Epochs without improvement before that.",
    )
    min_delta: float = hyper(default=1e-4, domain=NON_NEGATIVE, doc="A smaller change is no improvement.")
    cooldown: float = hyper(default=0, domain=NON_NEGATIVE, doc="Epochs after it in which nothing is counted.")
    min_lr: float = hyper(default=0.0, domain=NON_NEGATIVE, doc="The lowest rate.")

    def arguments(self, learning_rate: float, total_steps: int) -> dict[str, Any]:
        return {"learning_rate": learning_rate}

    @staticmethod
    def rate(step: Tensor, *, learning_rate: float) -> Tensor:  # type: ignore[override]
        return Constant.rate(step, learning_rate=learning_rate)

    @classmethod
    def recover(cls, arguments: Mapping[str, Any], total_steps: int) -> tuple[float, Schedule]:
        return arguments["learning_rate"], cls()
