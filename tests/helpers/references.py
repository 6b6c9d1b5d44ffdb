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


def schedule_free_sgd(
    w: Array,
    grads: Array,
    *,
    learning_rate: float | Array,
    momentum: float,
    weight_decay: float,
    warmup_steps: float,
    r: float,
    weight_lr_power: float,
) -> Array:
    """Defazio et al. 2024, equations 3 to 5: x, y and z kept apart, the average taken over all z at once."""
    points, weights, y, top = [], [], w, 0.0
    z = w
    rates = np.broadcast_to(learning_rate, len(grads))  # one number, or one for each step
    for t, g in enumerate(grads, start=1):
        rate = rates[t - 1] * (t / warmup_steps if t < warmup_steps else 1.0)
        top = max(top, rate)
        z = z - rate * (g + weight_decay * y)
        points.append(z)
        weights.append(t**r * top**weight_lr_power)
        y = (1 - momentum) * z + momentum * (np.average(points, axis=0, weights=weights) if any(weights) else w)
    return y


def nadamw(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> Array:
    """Dozat 2016, algorithm 2 with all its mu equal to beta_1: the products are then powers."""
    n, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(grads, start=1):
        n = beta_1 * n + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        ahead = (1 - beta_1) * g / (1 - beta_1**t) + beta_1 * n / (1 - beta_1 ** (t + 1))
        w = (1 - learning_rate * weight_decay) * w - learning_rate * ahead / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    return w


def radam(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> Array:
    """Liu et al. 2020, algorithm 2, which calls for rectification from rho = 5 as the authors' code does."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    longest = 2 / (1 - beta_2) - 1
    for t, g in enumerate(grads, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        length = longest - 2 * t * beta_2**t / (1 - beta_2**t)
        step = m / (1 - beta_1**t)
        if length >= 5:
            share = (length - 4) / (longest - 4) * (length - 2) / (longest - 2) * longest / length
            step = np.sqrt(share) * step / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        w = (1 - learning_rate * weight_decay) * w - learning_rate * step
    return w


def adabelief(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> Array:
    """Zhuang et al. 2020, algorithm 2, with epsilon beside the root too as in the authors' code."""
    m, s = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(grads, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        s = beta_2 * s + (1 - beta_2) * (g - m) ** 2 + epsilon
        step = m / (1 - beta_1**t) / (np.sqrt(s / (1 - beta_2**t)) + epsilon)
        w = (1 - learning_rate * weight_decay) * w - learning_rate * step
    return w


def yogi(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    initial_accumulator_value: float,
) -> Array:
    """Zaheer et al. 2018, algorithm 2, bias-corrected and started as in TensorFlow Addons and optax."""
    m, v = np.full_like(w, initial_accumulator_value), np.full_like(w, initial_accumulator_value)
    for t, g in enumerate(grads, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = np.where(v > g**2, v - (1 - beta_2) * g**2, v + (1 - beta_2) * g**2)
        w = w - learning_rate * (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    return w


def ademamix(
    w: Array,
    grads: Array,
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
) -> Array:
    """Pagliardini et al. 2025, algorithm 1, with the schedules of its section 3 from half-lives."""
    fast, slow, v = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    short, long = (np.log(0.5) / np.log(beta) for beta in (beta_1, beta_3))
    for t, g in enumerate(grads, start=1):
        mixed = alpha * t / alpha_warmup_steps if t < alpha_warmup_steps else alpha
        part = t / beta_3_warmup_steps if t < beta_3_warmup_steps else 1.0
        kept = 0.5 ** (1 / (short + part * (long - short)))
        fast = beta_1 * fast + (1 - beta_1) * g
        slow = kept * slow + (1 - kept) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        step = (fast / (1 - beta_1**t) + mixed * slow) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        w = w - learning_rate * (step + weight_decay * w)
    return w


def adan(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    beta_3: float,
    epsilon: float,
) -> Array:
    """Xie et al. 2022, algorithm 1, its beta one minus these, bias-corrected as in the authors' code."""
    taken_1, taken_2, taken_3 = 1 - beta_1, 1 - beta_2, 1 - beta_3
    m, v, n = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, (last, g) in enumerate(zip(np.concatenate([grads[:1], grads]), grads, strict=False), start=1):
        m = (1 - taken_1) * m + taken_1 * g
        v = (1 - taken_2) * v + taken_2 * (g - last)
        n = (1 - taken_3) * n + taken_3 * (g + (1 - taken_2) * (g - last)) ** 2
        rate = learning_rate / (np.sqrt(n / (1 - beta_3**t)) + epsilon)
        w = (w - rate * (m / (1 - beta_1**t) + beta_2 * v / (1 - beta_2**t))) / (1 + learning_rate * weight_decay)
    return w


def adopt(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> Array:
    """Taniguchi et al. 2024, algorithm 2: v_0 is the first square, the first move has the clip 1."""
    m, v = np.zeros_like(w), grads[0] ** 2
    for t, g in enumerate(grads[1:], start=1):
        normal = g / np.where(np.sqrt(v) > epsilon, np.sqrt(v), epsilon)
        m = beta_1 * m + (1 - beta_1) * np.sign(normal) * np.minimum(np.abs(normal), t**0.25)
        w = (1 - learning_rate * weight_decay) * w - learning_rate * m
        v = beta_2 * v + (1 - beta_2) * g**2
    return w


def signum(w: Array, grads: Array, *, learning_rate: float, weight_decay: float, momentum: float) -> Array:
    """Bernstein et al. 2018, algorithm 2, with decoupled decay."""
    m = np.zeros_like(w)
    for g in grads:
        m = momentum * m + (1 - momentum) * g
        w = (1 - learning_rate * weight_decay) * w - learning_rate * np.sign(m)
    return w


def novograd(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> Array:
    """Ginsburg et al. 2019, algorithm 1 of one layer; its first step with m = 0 needs no case of its own."""
    m, v = np.zeros_like(w), np.linalg.norm(grads[0]) ** 2
    for g in grads:
        v = beta_2 * v + (1 - beta_2) * np.linalg.norm(g) ** 2
        m = beta_1 * m + (g / (np.sqrt(v) + epsilon) + weight_decay * w)
        w = w - learning_rate * m
    return w


def lars(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    momentum: float,
    trust_coefficient: float,
    exclude_1d: bool,
) -> Array:
    """You et al. 2017, algorithm 1 of one layer that is no vector."""
    v = np.zeros_like(w)
    for g in grads:
        size, slope = np.linalg.norm(w), np.linalg.norm(g)
        local = trust_coefficient * size / (slope + weight_decay * size) if size and slope else 1.0
        v = momentum * v + learning_rate * local * (g + weight_decay * w)
        w = w - v
    return w


def madgrad(
    w: Array, grads: Array, *, learning_rate: float, weight_decay: float, momentum: float, epsilon: float
) -> Array:
    """Defazio & Jelassi 2021, algorithm 1, with epsilon in the rate too and L2 decay as in the authors' code."""
    start, s, v = w, np.zeros_like(w), np.zeros_like(w)
    for k, g in enumerate(grads):
        g = g + weight_decay * w
        weight = (learning_rate + epsilon) * (k + 1) ** 0.5
        s, v = s + weight * g, v + weight * g * g
        w = momentum * w + (1 - momentum) * (start - s / (v ** (1 / 3) + epsilon))
    return w


def adamax(w: Array, grads: Array, *, learning_rate: float, beta_1: float, beta_2: float, epsilon: float) -> Array:
    """Kingma & Ba 2015, algorithm 2, with epsilon beside the size; both moments from their sums."""
    for t in range(1, len(grads) + 1):
        ages = np.arange(t)[::-1].reshape(-1, *(1,) * w.ndim)
        mean = (1 - beta_1) * np.sum(beta_1**ages * grads[:t], axis=0)
        size = np.max(beta_2**ages * np.abs(grads[:t]), axis=0)
        w = w - learning_rate / (1 - beta_1**t) * mean / (size + epsilon)
    return w


def lion(w: Array, grads: Array, *, learning_rate: float, weight_decay: float, beta_1: float, beta_2: float) -> Array:
    """Chen et al. 2023, algorithm 2: decay and sign in one step."""
    m = np.zeros_like(w)
    for g in grads:
        w = w - learning_rate * (np.sign(beta_1 * m + (1 - beta_1) * g) + weight_decay * w)
        m = beta_2 * m + (1 - beta_2) * g
    return w


def lamb(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    exclude_1d: bool,
) -> Array:
    """You et al. 2020, algorithm 2 with the identity for phi, of one layer that is no vector."""
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(grads, start=1):
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g**2
        step = (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + epsilon) + weight_decay * w
        size, length = np.sqrt((w**2).sum()), np.sqrt((step**2).sum())
        w = w - learning_rate * step * (size / length if size * length > 0 else 1.0)
    return w


def adafactor(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    beta_2_decay: float,
    epsilon_1: float,
    epsilon_2: float,
    clip_threshold: float,
    relative_step: bool,
) -> Array:
    """Shazeer & Stern 2018, algorithms 4 and 5, with sums for means: R C / 1'R is the same."""
    rows, columns, squares = 0.0, 0.0, 0.0
    for t, g in enumerate(grads, start=1):
        beta = 1 - t**beta_2_decay
        square = g**2 + epsilon_1
        if w.ndim < 2:
            squares = beta * squares + (1 - beta) * square
        else:
            rows = beta * rows + (1 - beta) * square.sum(axis=-1, keepdims=True)
            columns = beta * columns + (1 - beta) * square.sum(axis=-2, keepdims=True)
            squares = rows @ columns / rows.sum(axis=-2, keepdims=True)
        u = g / np.sqrt(squares)
        u = u / max(1.0, np.sqrt((u**2).mean()) / clip_threshold)
        rate = min(learning_rate, t**-0.5) if relative_step else learning_rate
        w = w - max(epsilon_2, np.sqrt((w**2).mean())) * rate * u
    return w


def muon(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    momentum: float,
    nesterov: bool,
    rms_rate: float,
    adam_lr_ratio: float,
    adam_weight_decay: float,
    adam_beta_1: float,
    adam_beta_2: float,
    epsilon: float,
    **_: bool,
) -> Array:
    """Jordan et al. 2024 on the singular values, which the iteration moves each by itself; AdamW for vectors."""
    if w.ndim < 2:
        # The decay has the rate without the ratio, as in Keras.
        own = {"learning_rate": learning_rate * adam_lr_ratio, "weight_decay": adam_weight_decay / adam_lr_ratio}
        return adam(w, grads, **own, beta_1=adam_beta_1, beta_2=adam_beta_2, epsilon=epsilon, amsgrad=False)
    buffer = np.zeros_like(w)
    for g in grads:
        buffer = momentum * buffer + g
        flat = (g + momentum * buffer if nesterov else buffer).reshape(-1, w.shape[-1])
        left, values, right = np.linalg.svd(flat, full_matrices=False)
        values = values / (np.sqrt((values**2).sum()) + 1e-7)
        for _ in range(5):
            values = 3.4445 * values - 4.775 * values**3 + 2.0315 * values**5
        step = rms_rate * np.sqrt(max(flat.shape)) * (left * values) @ right
        w = w * (1 - learning_rate * weight_decay) - learning_rate * step.reshape(w.shape)
    return w


def schedule_free_adamw(
    w: Array,
    grads: Array,
    *,
    learning_rate: float | Array,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    warmup_steps: float,
    r: float,
    weight_lr_power: float,
) -> Array:
    """Defazio et al. 2024, algorithm 1: x, y and z kept apart, the average taken over all z at once."""
    points, weights, y, z, v, top = [], [], w, w, np.zeros_like(w), 0.0
    rates = np.broadcast_to(learning_rate, len(grads))  # one number, or one for each step
    for t, g in enumerate(grads, start=1):
        rate = rates[t - 1] * (t / warmup_steps if t < warmup_steps else 1.0)
        top = max(top, rate)
        v = beta_2 * v + (1 - beta_2) * g**2
        z = z - rate * (g / (np.sqrt(v / (1 - beta_2**t)) + epsilon) + weight_decay * y)
        points.append(z)
        weights.append(t**r * top**weight_lr_power)
        y = (1 - beta_1) * z + beta_1 * (np.average(points, axis=0, weights=weights) if any(weights) else w)
    return y


def prodigy(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    initial_distance: float,
    coefficient: float,
) -> Array:
    """Mishchenko & Defazio 2023, algorithm 4 with bias correction: the sums from all steps, each with its weight."""
    start, d, beta_3 = w.copy(), initial_distance, beta_2**0.5
    ds, deltas, ways = [], [], []
    for t, g in enumerate(grads, start=1):
        ds.append(d)
        deltas.append(learning_rate * d * (1 - beta_2**t) ** 0.5 / (1 - beta_1**t))
        ways.append(np.sum(g * (start - w)))
        age = np.arange(t)[::-1]
        scaled, weight = np.array(ds), np.array(ds) * deltas * beta_3**age
        m = np.tensordot((1 - beta_1) * beta_1**age * scaled, grads[:t], 1)
        v = np.tensordot((1 - beta_2) * beta_2**age * scaled**2, grads[:t] ** 2, 1)
        d = max(d, coefficient * np.sum(weight * ways) / np.abs(np.tensordot(weight, grads[:t], 1)).sum())
        w = w - deltas[-1] * (m / (np.sqrt(v) + d * epsilon) + weight_decay * w)
    return w


def dadapt_adamw(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    initial_distance: float,
) -> Array:
    """Defazio & Mishchenko 2023, algorithm 5 with bias correction, the common factor 1 - beta_3 left out of s and r."""
    d, r, beta_3 = initial_distance, 0.0, beta_2**0.5
    m, v, s = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(grads, start=1):
        delta = learning_rate * d * (1 - beta_2**t) ** 0.5 / (1 - beta_1**t)
        r = beta_3 * r + delta * (1 - beta_3) * np.sum(g * s / (np.sqrt(v) + epsilon))
        m = beta_1 * m + (1 - beta_1) * delta * g
        v = beta_2 * v + (1 - beta_2) * g**2
        s = beta_3 * s + delta * g
        d = max(d, r / (1 - beta_3) / np.abs(s).sum())
        w = (1 - delta * weight_decay) * w - m / (np.sqrt(v) + epsilon)
    return w


def dog(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    initial_distance: float,
    epsilon: float,
    averaging: bool,
    gamma: float,
) -> Array:
    """Ivgi et al. 2023, equation 2: all distances so far. The mean is no part of where it walks."""
    path = [w]
    for t, g in enumerate(grads, start=1):
        far = max(initial_distance * (1 + np.linalg.norm(path[0])), *(np.linalg.norm(x - path[0]) for x in path), 0.0)
        path.append(path[-1] - learning_rate * far / np.sqrt((grads[:t] ** 2).sum() + epsilon) * g)
    return path[-1]


def soap(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    precondition_frequency: float,
) -> Array:
    """Vyas et al. 2024, algorithm 3 for a matrix, the mean of the gradient kept in the turning basis."""
    left, right = ((1 - beta_2) * x for x in (grads[0] @ grads[0].T, grads[0].T @ grads[0]))
    ql, qr = (np.linalg.eigh(x)[1][:, ::-1] for x in (left, right))
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(grads[1:], start=1):
        m = beta_1 * m + (1 - beta_1) * ql.T @ g @ qr
        v = beta_2 * v + (1 - beta_2) * (ql.T @ g @ qr) ** 2
        step = (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + epsilon / np.sqrt(1 - beta_2**t))
        w = (1 - learning_rate * weight_decay) * (w - learning_rate * ql @ step @ qr.T)
        left = beta_2 * left + (1 - beta_2) * g @ g.T
        right = beta_2 * right + (1 - beta_2) * g.T @ g
        if t % precondition_frequency < 1:
            mean = ql @ m @ qr.T
            rows, columns = (np.argsort(-np.diag(q.T @ p @ q)) for p, q in ((left, ql), (right, qr)))
            ql, qr = np.linalg.qr(left @ ql[:, rows])[0], np.linalg.qr(right @ qr[:, columns])[0]
            m, v = ql.T @ mean @ qr, v[rows][:, columns]
    return w


def mars_adamw(
    w: Array,
    grads: Array,
    *,
    learning_rate: float,
    weight_decay: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    gamma: float,
    rate_1d: float,
    weight_decay_1d: float,
    beta_1_1d: float,
    beta_2_1d: float,
) -> Array:
    """Yuan et al. 2024, algorithm 2 for a matrix: corrected gradients first, then AdamW with the paper's epsilon."""
    before = np.concatenate([np.zeros_like(grads[:1]), grads[:-1]])
    corrected = grads + gamma * beta_1 / (1 - beta_1) * (grads - before)
    norms = np.sqrt((corrected**2).sum(axis=tuple(range(1, grads.ndim)), keepdims=True))
    corrected = np.where(norms > 1, corrected / norms, corrected)
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t, c in enumerate(corrected, start=1):
        m = beta_1 * m + (1 - beta_1) * c
        v = beta_2 * v + (1 - beta_2) * c**2
        step = m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        w = w - learning_rate * (step + weight_decay * w)
    return w


def lazy_adam(w: Array, grads: Array, *, learning_rate: float, beta_1: float, beta_2: float, epsilon: float) -> Array:
    """Row by row, over the steps that use the row; epsilon as in Keras's Adam."""
    rows = []
    for row, row_grads in zip(w, np.swapaxes(grads, 0, 1), strict=True):
        m, v = np.zeros_like(row), np.zeros_like(row)
        for t in 1 + np.flatnonzero(row_grads.any(axis=-1)):
            m = beta_1 * m + (1 - beta_1) * row_grads[t - 1]
            v = beta_2 * v + (1 - beta_2) * row_grads[t - 1] ** 2
            row = row - learning_rate * (1 - beta_2**t) ** 0.5 / (1 - beta_1**t) * m / (np.sqrt(v) + epsilon)
        rows.append(row)
    return np.stack(rows)


# -- wrappers: around SGD with these numbers, which is what they wrap where nothing else is said -------------------

_RATE, _MOMENTUM = float(np.float32(0.01)), float(np.float32(0.9))


def cautious(w: Array, grads: Array, *, counted: bool) -> Array:
    """Liang et al. 2024, algorithm 1; `counted` is the form of the authors' Lion."""
    buffer = np.zeros_like(w)
    for g in grads:
        buffer = _MOMENTUM * buffer + g
        agree = buffer * g > 0
        factor = agree.size / (agree.sum() + 1) if counted else 1 / max(agree.mean(), 1e-3)
        w = w - _RATE * np.where(agree, factor * buffer, 0)
    return w


def lookahead(w: Array, grads: Array, *, k: float, alpha: float) -> Array:
    """Zhang et al. 2019, algorithm 1."""
    slow, buffer = w, np.zeros_like(w)
    for t, g in enumerate(grads, start=1):
        buffer = _MOMENTUM * buffer + g
        w = w - _RATE * buffer
        if t % k == 0:
            slow = w = (1 - alpha) * slow + alpha * w
    return w


def grokfast(w: Array, grads: Array, *, alpha: float, strength: float) -> Array:
    """Lee et al. 2024, algorithm 2, the mean begun at the first gradient as in the authors' code."""
    mean, seen = grads[0], []
    for g in grads:
        mean = alpha * mean + (1 - alpha) * g
        seen.append(g + strength * mean)
    return sgd(w, np.stack(seen), learning_rate=_RATE, momentum=_MOMENTUM, nesterov=False)


def swa(w: Array, grads: Array, *, start: float, period: float) -> Array:
    """The mean is no part of where it walks."""
    return sgd(w, grads, learning_rate=_RATE, momentum=_MOMENTUM, nesterov=False)


def ema(w: Array, grads: Array, *, momentum: float) -> Array:
    """The mean is no part of where it walks."""
    return sgd(w, grads, learning_rate=_RATE, momentum=_MOMENTUM, nesterov=False)
