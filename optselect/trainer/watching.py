"""What is watched from epoch to epoch, inside the program: Keras's `EarlyStopping` and `ReduceLROnPlateau` as tensors.

Both compare as Keras does: a figure moved by `min_delta` in float64, rounded to float32, with the best one so far.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from optselect.optim.schedule import Schedule
from optselect.task.early_stopping import EarlyStopping

__all__ = ["Terms", "Watch", "begun", "ran_at", "terms", "watched"]

Tensor = Any
Kept = tuple[Tensor, ...]
"""Where the model is judged, as a flat vector, and its other variables; empty where no weights are restored."""


class Terms(NamedTuple):
    """Numbers of a training's callbacks: tensors, so that one trace serves all of them.

    figure: the number of the monitored one: 0 is the training loss, then come those of the evaluation. sign: -1.0
    where larger is better. stop: min_delta, patience, baseline (NaN: none) and first epoch of early stopping. plateau:
    factor, patience, min_delta, cooldown and lowest rate of a schedule that watches. All float64 but `figure`.
    """

    figure: Tensor
    sign: Tensor
    stop: Tensor
    plateau: Tensor


class Watch(NamedTuple):
    """What is carried from one epoch to the next.

    epoch: how many are done. best, wait: as in Keras's `EarlyStopping`. best_epoch: whose weights are restored, counted
    from 1; 0 as long as nothing was watched. stopped: whether training has ended. kept: the weights of that epoch.
    figures: of the evaluation of the weights that a training has if it ends here. rate: the learning rate from here on,
    NaN where the schedule gives it. low, idle, pause: best value, wait and cooldown counter of `ReduceLROnPlateau`.
    """

    epoch: Tensor
    best: Tensor
    wait: Tensor
    best_epoch: Tensor
    stopped: Tensor
    kept: Kept
    figures: Tensor
    rate: Tensor
    low: Tensor
    idle: Tensor
    pause: Tensor


def terms(stopping: EarlyStopping | None, schedule: Schedule, names: Sequence[str]) -> Terms:
    """The numbers of both callbacks; such that nothing happens for the one that is not wanted.

    stopping: its mode is known. names: of the figures of an evaluation.
    """
    figure, sign, stop = 1, 1.0, [0.0, math.inf, math.nan, math.inf]
    if stopping:
        figure = ["loss", *(f"val_{name}" for name in names)].index(stopping.monitor)
        sign = -1.0 if stopping.mode == "max" else 1.0
        baseline = math.nan if stopping.baseline is None else stopping.baseline
        stop = [abs(stopping.min_delta), stopping.patience, baseline, stopping.start_from_epoch]
    asked = schedule.values() if schedule.watcher else {}
    plateau = [asked.get(name, 1.0) for name in ("factor", "patience", "min_delta", "cooldown", "min_lr")]
    return Terms(tf.constant(figure), *(tf.constant(part, tf.float64) for part in (sign, stop, plateau)))


def begun(kept: Kept, count: int, rate: float | None) -> Watch:
    """Before the first epoch.

    kept: weights of the shapes of those that will be kept. count: of an evaluation's figures. rate: the first one of a
    schedule that watches, else None.
    """
    none, zero = tf.constant(0), tf.constant(0.0)
    return Watch(
        epoch=none,
        best=tf.constant(math.inf),
        wait=none,
        best_epoch=none,
        stopped=tf.constant(False),
        kept=kept,
        figures=tf.fill([count], math.nan),
        rate=tf.constant(math.nan if rate is None else rate, tf.float32),
        low=tf.constant(math.inf),
        idle=zero,
        pause=zero,
    )


def ran_at(watch: Watch, rates: Tensor) -> Tensor:
    """The learning rates of all steps as far as is known: the schedule's, or the one that they were reduced to.

    rates: (steps,); (members, steps) where `watch` is that of several.
    """
    rate = watch.rate[..., None]
    return tf.where(tf.math.is_nan(rate), rates, rate)


def watched(
    watch: Watch, given: Terms, figures: Tensor, now: Kept, keep: Callable[[Tensor, Any, Any], Any] | None = None
) -> Watch:
    """After an epoch: what Keras's callbacks do at its end.

    figures: the training loss and the evaluation's. now: the weights, as `Watch.kept` has them. keep: takes new or old
    weights by a flag; None for a branch, which copies nothing.
    """
    value, shown = tf.gather(figures, given.figure), figures[1:]
    min_delta, patience, baseline, start = tf.unstack(given.stop)
    # Times its sign, so that smaller is better.
    moved = tf.cast(tf.cast(value, tf.float64) * given.sign + min_delta, tf.float32)
    due = tf.cast(watch.epoch, tf.float64) >= start
    improved = due & ((watch.best_epoch == 0) | (moved < watch.best))
    anew = improved & (tf.math.is_nan(baseline) | (moved < tf.cast(baseline * given.sign, tf.float32)))
    wait = tf.where(anew, 0, watch.wait + tf.cast(due, tf.int32))
    over = due & ~improved & (tf.cast(wait, tf.float64) >= patience) & (watch.epoch > 0)
    best_epoch = tf.where(improved, watch.epoch + 1, watch.best_epoch)
    kept = (keep or _branch)(improved, now, watch.kept) if watch.kept else ()
    return _reduced(watch, given, figures[1])._replace(
        epoch=watch.epoch + 1,
        best=tf.where(improved, value * tf.cast(given.sign, tf.float32), watch.best),
        wait=wait,
        best_epoch=best_epoch,
        stopped=watch.stopped | over,
        kept=kept,
        figures=tf.where(improved | (best_epoch == 0), shown, watch.figures) if watch.kept else shown,
    )


def _branch(which: Tensor, new: Any, old: Any) -> Any:
    return tf.cond(which, lambda: new, lambda: old)


def _reduced(watch: Watch, given: Terms, value: Tensor) -> Watch:
    """The rate and what counts for it after an epoch. value: the validation loss."""
    factor, patience, min_delta, cooldown, lowest = tf.unstack(given.plateau)
    pausing = watch.pause > 0
    pause = watch.pause - tf.cast(pausing, tf.float32)
    improved = tf.cast(tf.cast(value, tf.float64) + min_delta, tf.float32) < watch.low
    counts = ~improved & ~(pause > 0)
    idle = tf.where(improved, 0.0, tf.where(pausing, 0.0, watch.idle) + tf.cast(counts, tf.float32))
    # Never where the schedule gives the rate: no comparison with NaN holds.
    reduces = counts & (tf.cast(idle, tf.float64) >= patience) & (watch.rate > tf.cast(lowest, tf.float32))
    rate = tf.cast(tf.maximum(tf.cast(watch.rate, tf.float64) * factor, lowest), tf.float32)
    return watch._replace(
        rate=tf.where(reduces, rate, watch.rate),
        low=tf.where(improved, value, watch.low),
        idle=tf.where(reduces, 0.0, idle),
        pause=tf.where(reduces, tf.cast(cooldown, tf.float32), pause),
    )
