"""A training at rest: everything that a paused trial needs to go on, in memory and on disk."""

from __future__ import annotations

import dataclasses
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from optselect.errors import InvalidState
from optselect.trainer.watching import Watch
from optselect.util.whole_files import draft, refusals

__all__ = ["Carried", "TrialState", "load_state", "save_state"]

Tensor = Any
_TORN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)  # what a damaged archive raises
_SAFE = "All finished trials are safe in the ledger: mend that and run the same command again."


class Carried(NamedTuple):
    """What the steps of a training carry from one to the next: tensors, as the traced functions take and give them.

    parameters: all trainable variables in one flat vector. others: the model's non-trainable variables (batch
    norm statistics, seed generators ...). slots: those of the rule's slots that are vectors like `parameters`;
    rest: everything else of its state in one vector. updates: int64, how often the rule has moved the parameters.
    scale: float32 (2,), the factor of the loss and the good steps since it last changed; used in float16 alone.
    """

    parameters: Tensor
    others: tuple[Tensor, ...]
    slots: tuple[Tensor, ...]
    rest: Tensor
    updates: Tensor
    scale: Tensor


@dataclasses.dataclass(frozen=True)
class TrialState:
    """A training at rest.

    step, epoch: done so far. finite: False once a loss was not; such a training does not go on. watch: what callbacks
    saw so far; empty where there are none.
    """

    carried: Carried
    step: int = 0
    epoch: int = 0
    finite: bool = True
    watch: Watch | tuple[()] = ()

    @property
    def stopped(self) -> bool:
        """Whether early stopping has ended it; it does not go on."""
        return bool(self.watch and self.watch.stopped)

    @property
    def going(self) -> bool:
        """Whether it can go on."""
        return self.finite and not self.stopped

    @property
    def leaves(self) -> list[Tensor]:
        """All its tensors."""
        return list(tf.nest.flatten((self.carried, self.watch)))


def save_state(path: Path, state: TrialState, about: Mapping[str, Any]) -> None:
    """Write a state with facts by which a reader can tell whether it is the right one; whole or not at all.

    about: JSON types.
    """
    arrays = {
        f"leaf_{i}": np.frombuffer(tf.io.serialize_tensor(leaf).numpy(), np.uint8)
        for i, leaf in enumerate(state.leaves)
    }
    counts = {"step": state.step, "epoch": state.epoch, "finite": state.finite}
    arrays["about"] = _bytes(json.dumps({"about": dict(about), **counts}).encode())
    with refusals(path, _SAFE):
        path.parent.mkdir(parents=True, exist_ok=True)
    with draft(path, safe=_SAFE) as aside, aside.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def load_state(path: Path, like: TrialState, about: Mapping[str, Any]) -> TrialState:
    """Read what `save_state` wrote. like: any state of the same program and rule.

    Raises InvalidState if the file is missing, damaged, or of another training than `about` says.
    """
    try:
        with path.open("rb") as stream, np.load(stream) as arrays:
            header = json.loads(arrays["about"].tobytes())
            leaves = like.leaves
            read = [tf.io.parse_tensor(arrays[f"leaf_{i}"].tobytes(), leaf.dtype) for i, leaf in enumerate(leaves)]
    except (OSError, ValueError, KeyError, *_TORN, tf.errors.OpError) as problem:
        raise InvalidState(f"{path}: a paused training cannot be read ({problem}).") from problem
    for name, wanted in json.loads(json.dumps(dict(about))).items():
        if header["about"].get(name) != wanted:
            raise InvalidState(
                f"{path}: holds a training with another `{name}`: {header['about'].get(name)}, not {wanted}."
            )
    if any(a.shape != b.shape for a, b in zip(read, leaves, strict=True)):
        raise InvalidState(f"{path}: holds a training of another model.")
    carried, watch = tf.nest.pack_sequence_as((like.carried, like.watch), read)
    return TrialState(carried, step=header["step"], epoch=header["epoch"], finite=header["finite"], watch=watch)


def _bytes(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8)
