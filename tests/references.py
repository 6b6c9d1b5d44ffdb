"""The update rules once more, in numpy float64 from the papers: one function a rule, found by the rule's name.

Each takes the start `w`, the gradients of all steps and the hyperparameters by their names, and returns the end.
Where Keras departs from the paper (the place of epsilon, the decay of Nadam) the formula here says so.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def sgd(w: Array, grads: Array, *, learning_rate: float, momentum: float, nesterov: bool) -> Array:
    """The form of PyTorch, the rate outside the buffer: the same while the rate is constant."""
    buffer = np.zeros_like(w)
    for g in grads:
        buffer = momentum * buffer + g
        w = w - learning_rate * (g + momentum * buffer if nesterov else buffer)
    return w


def adagrad(w: Array, grads: Array, *, learning_rate: float, initial_accumulator_value: float, epsilon: float) -> Array:
    """All steps at once: the accumulator is a cumulative sum."""
    sums = initial_accumulator_value + np.cumsum(grads**2, axis=0)
    return w - np.sum(learning_rate * grads / np.sqrt(sums + epsilon), axis=0)


def adadelta(w: Array, grads: Array, *, learning_rate: float, rho: float, epsilon: float) -> Array:
    """Zeiler 2012, algorithm 1, with a rate."""
    mean_grad, mean_step = np.zeros_like(w), np.zeros_like(w)
    for g in grads:
        mean_grad += (1 - rho) * (g**2 - mean_grad)
        delta = np.sqrt((mean_step + epsilon) / (mean_grad + epsilon)) * g
        mean_step += (1 - rho) * (delta**2 - mean_step)
        w = w - learning_rate * delta
    return w


def rmsprop(
    w: Array, grads: Array, *, learning_rate: float, rho: float, momentum: float, epsilon: float, centered: bool
) -> Array:
    """Graves 2013, equations 38 to 41, with epsilon under the root."""
    square, mean, step = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for g in grads:
        square += (1 - rho) * (g * g - square)
        mean += (1 - rho) * (g - mean)
        spread = square - mean**2 if centered else square
        step = momentum * step - learning_rate * g * (spread + epsilon) ** -0.5
        w = w + step
    return w


def adam(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    amsgrad: bool,
    weight_decay: float = 0.0,
) -> Array:
    """Kingma & Ba 2015, algorithm 1; its epsilon at step t is epsilon / sqrt(1 - beta_2 ** t)."""
    m, v, top = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(grads, start=1):
        w = w * (1 - learning_rate * weight_decay)
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        top = np.maximum(top, v)
        corrected = 1 - beta_2**t
        root = np.sqrt((top if amsgrad else v) / corrected)
        w = w - learning_rate * (m / (1 - beta_1**t)) / (root + epsilon / np.sqrt(corrected))
    return w


def adamw(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    amsgrad: bool,
) -> Array:
    """Loshchilov & Hutter 2019, algorithm 2, the decay multiplied by the rate."""
    return adam(
        w,
        grads,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        amsgrad=amsgrad,
    )


def nadam(w: Array, grads: Array, *, learning_rate: float, beta_1: float, beta_2: float, epsilon: float) -> Array:
    """Dozat 2016, algorithm 2: the schedule in the correction, the moment with a constant beta_1 as Keras has it."""
    mus = beta_1 * (1 - 0.5 * 0.96 ** np.arange(1, len(grads) + 2))
    products = np.cumprod(mus)
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(grads, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        ahead = mus[t] * m / (1 - products[t]) + (1 - mus[t - 1]) * g / (1 - products[t - 1])
        w = w - learning_rate * ahead / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    return w


def ftrl(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    learning_rate_power: float,
    initial_accumulator_value: float,
    l1_regularization_strength: float,
    l2_regularization_strength: float,
    l2_shrinkage_regularization_strength: float,
    beta: float,
) -> Array:
    """McMahan et al. 2013, algorithm 1, with 2 * l2 for its lambda_2."""
    l1, l2 = l1_regularization_strength, 2 * l2_regularization_strength
    n, z = np.full_like(w, initial_accumulator_value), np.zeros_like(w)
    for g in grads:
        sigma = ((n + g**2) ** -learning_rate_power - n**-learning_rate_power) / learning_rate
        z = z + g + 2 * l2_shrinkage_regularization_strength * w - sigma * w
        n = n + g**2
        strength = (beta + n**-learning_rate_power) / learning_rate + l2
        w = np.where(np.abs(z) <= l1, 0.0, -(z - np.sign(z) * l1) / strength)
    return w
