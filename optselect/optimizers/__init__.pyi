"""The optimizer classes. Written by `just generate` from the declarations; do not edit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from keras.optimizers import Optimizer

import optselect.optim.rules.adabelief
import optselect.optim.rules.adadelta
import optselect.optim.rules.adafactor
import optselect.optim.rules.adagrad
import optselect.optim.rules.adam
import optselect.optim.rules.adamax
import optselect.optim.rules.adamw
import optselect.optim.rules.adan
import optselect.optim.rules.ademamix
import optselect.optim.rules.adopt
import optselect.optim.rules.cautious
import optselect.optim.rules.dadapt_adamw
import optselect.optim.rules.dog
import optselect.optim.rules.ema
import optselect.optim.rules.ftrl
import optselect.optim.rules.grokfast
import optselect.optim.rules.lamb
import optselect.optim.rules.lars
import optselect.optim.rules.lazy_adam
import optselect.optim.rules.lion
import optselect.optim.rules.lookahead
import optselect.optim.rules.madgrad
import optselect.optim.rules.mars_adamw
import optselect.optim.rules.muon
import optselect.optim.rules.nadam
import optselect.optim.rules.nadamw
import optselect.optim.rules.novograd
import optselect.optim.rules.prodigy
import optselect.optim.rules.radam
import optselect.optim.rules.rmsprop
import optselect.optim.rules.schedule_free_adamw
import optselect.optim.rules.schedule_free_sgd
import optselect.optim.rules.sgd
import optselect.optim.rules.signum
import optselect.optim.rules.soap
import optselect.optim.rules.swa
import optselect.optim.rules.yogi
from optselect.optim.keras.derived import Derived
from optselect.optim.keras.swap import SwapEvaluated as SwapEvaluated
from optselect.optim.rule import Rule
from optselect.optimizers import schedules as schedules
from optselect.optimizers.serialization import deserialize as deserialize
from optselect.optimizers.serialization import get as get
from optselect.optimizers.serialization import register as register
from optselect.optimizers.serialization import serialize as serialize

__all__ = [
    "ADOPT",
    "EMA",
    "LARS",
    "MADGRAD",
    "SGD",
    "SOAP",
    "SWA",
    "AdEMAMix",
    "AdaBelief",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Adan",
    "Cautious",
    "DAdaptAdamW",
    "DoG",
    "Ftrl",
    "GrokFast",
    "Lamb",
    "LazyAdam",
    "Lion",
    "Lookahead",
    "MARSAdamW",
    "Muon",
    "Nadam",
    "NadamW",
    "NovoGrad",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "Signum",
    "SwapEvaluated",
    "Yogi",
    "deserialize",
    "get",
    "register",
    "serialize",
]

class ADOPT(Derived):
    """Step by the mean of gradients that are each divided by the root of the mean square before them."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.adopt.ADOPT
    rule: optselect.optim.rules.adopt.ADOPT
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        weight_decay: float | None = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.9999,
        epsilon: float = 1e-06,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class AdEMAMix(Derived):
    """Step by a fast and a slow mean of the gradient over the root of its mean square."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.ademamix.AdEMAMix
    rule: optselect.optim.rules.ademamix.AdEMAMix
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        weight_decay: float | None = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        beta_3: float = 0.9999,
        alpha: float = 5.0,
        epsilon: float = 1e-08,
        alpha_warmup_steps: float = 0.0,
        beta_3_warmup_steps: float = 0.0,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class AdaBelief(Derived):
    """Step by the mean of the gradient over the root of its mean squared distance from that mean."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.adabelief.AdaBelief
    rule: optselect.optim.rules.adabelief.AdaBelief
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        weight_decay: float | None = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-16,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Adadelta(Derived):
    """Step by the gradient times the root of the mean square step over that of the mean square gradient."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.adadelta.Adadelta
    rule: optselect.optim.rules.adadelta.Adadelta
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-07,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Adafactor(Derived):
    """Step by the gradient over its root mean square, known from means of rows and columns, times the weights' size."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.adafactor.Adafactor
    rule: optselect.optim.rules.adafactor.Adafactor
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 0.001,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Adagrad(Derived):
    """Step by the gradient over the root of the sum of all its squares."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.adagrad.Adagrad
    rule: optselect.optim.rules.adagrad.Adagrad
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-07,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Adam(Derived):
    """Step by the mean of the gradient over the root of its mean square."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.adam.Adam
    rule: optselect.optim.rules.adam.Adam
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class AdamW(Derived):
    """Shrink the weights, then step as Adam."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.adamw.AdamW
    rule: optselect.optim.rules.adamw.AdamW
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        amsgrad: bool = False,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Adamax(Derived):
    """Step by the mean of the gradient over its largest size, which fades."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.adamax.Adamax
    rule: optselect.optim.rules.adamax.Adamax
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Adan(Derived):
    """Step by the mean of the gradient and of its change, over the root of a mean square of both."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.adan.Adan
    rule: optselect.optim.rules.adan.Adan
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        weight_decay: float | None = 0.0,
        beta_1: float = 0.98,
        beta_2: float = 0.92,
        beta_3: float = 0.99,
        epsilon: float = 1e-08,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Cautious(Derived):
    """Take the entries of a rule's step that the gradient agrees with, and enlarge them for those left out."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.cautious.Cautious
    rule: optselect.optim.rules.cautious.Cautious
    def __init__(
        self,
        rule: str | Rule | Mapping[str, Any] | Optimizer | None = None,
        learning_rate: float | Callable[..., Any] | None = None,
        counted: bool = False,
        head_layers: Sequence[str] | None = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class DAdaptAdamW(Derived):
    """Step as AdamW, by an estimate d of the distance from the start to the solution, which only grows."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.dadapt_adamw.DAdaptAdamW
    rule: optselect.optim.rules.dadapt_adamw.DAdaptAdamW
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 1.0,
        weight_decay: float | None = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-08,
        initial_distance: float = 1e-06,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class DoG(Derived):
    """Step against the gradient by the largest distance from the start over the root of all squared gradients."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.dog.DoG
    rule: optselect.optim.rules.dog.DoG
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 1.0,
        initial_distance: float = 1e-06,
        epsilon: float = 1e-08,
        averaging: bool = True,
        gamma: float = 8.0,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class EMA(Derived):
    """Step as the rule; judge at the mean of all weights so far, each counting less the older it is."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.ema.EMA
    rule: optselect.optim.rules.ema.EMA
    def __init__(
        self,
        rule: str | Rule | Mapping[str, Any] | Optimizer | None = None,
        learning_rate: float | Callable[..., Any] | None = None,
        momentum: float = 0.99,
        head_layers: Sequence[str] | None = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Ftrl(Derived):
    """Follow the regularised leader, for linear models of sparse data."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.ftrl.Ftrl
    rule: optselect.optim.rules.ftrl.Ftrl
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class GrokFast(Derived):
    """Add a multiple of the gradient's moving mean to the gradient, then step as the rule."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.grokfast.GrokFast
    rule: optselect.optim.rules.grokfast.GrokFast
    def __init__(
        self,
        rule: str | Rule | Mapping[str, Any] | Optimizer | None = None,
        learning_rate: float | Callable[..., Any] | None = None,
        alpha: float = 0.98,
        strength: float = 2.0,
        head_layers: Sequence[str] | None = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class LARS(Derived):
    """Scale the gradient of each variable to the variable's norm, then step with momentum."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.lars.LARS
    rule: optselect.optim.rules.lars.LARS
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 1.0,
        weight_decay: float | None = 0.0,
        momentum: float = 0.9,
        trust_coefficient: float = 0.001,
        exclude_1d: bool = False,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Lamb(Derived):
    """Take Adam's step, decay included, and give it η times the length of the variable."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.lamb.Lamb
    rule: optselect.optim.rules.lamb.Lamb
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        *,
        exclude_1d: bool = False,
    ) -> None: ...

class LazyAdam(Derived):
    """Step as Adam the rows whose gradient is not zero; of the others keep the weights and both moments."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.lazy_adam.LazyAdam
    rule: optselect.optim.rules.lazy_adam.LazyAdam
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Lion(Derived):
    """Step by the sign of gradient and momentum together, then let the momentum follow slowly."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.lion.Lion
    rule: optselect.optim.rules.lion.Lion
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Lookahead(Derived):
    """Let a rule run ahead for k steps, then go a share of the way and let it run from there."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.lookahead.Lookahead
    rule: optselect.optim.rules.lookahead.Lookahead
    def __init__(
        self,
        rule: str | Rule | Mapping[str, Any] | Optimizer | None = None,
        learning_rate: float | Callable[..., Any] | None = None,
        k: float = 5.0,
        alpha: float = 0.5,
        head_layers: Sequence[str] | None = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class MADGRAD(Derived):
    """Go towards the point that all gradients so far, weighed by √t, lead to from the start."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.madgrad.MADGRAD
    rule: optselect.optim.rules.madgrad.MADGRAD
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.01,
        weight_decay: float | None = 0.0,
        momentum: float = 0.9,
        epsilon: float = 1e-06,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class MARSAdamW(Derived):
    """Add to the gradient a share of its change, shorten it to norm one, then step as AdamW."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.mars_adamw.MARSAdamW
    rule: optselect.optim.rules.mars_adamw.MARSAdamW
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.003,
        weight_decay: float | None = 0.0,
        beta_1: float = 0.95,
        beta_2: float = 0.99,
        epsilon: float = 1e-08,
        gamma: float = 0.025,
        rate_1d: float = 1.0,
        weight_decay_1d: float = 0.1,
        beta_1_1d: float = 0.9,
        beta_2_1d: float = 0.95,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Muon(Derived):
    """Step by the nearest orthogonal matrix to the momentum; vectors, head and embeddings step as AdamW."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.muon.Muon
    rule: optselect.optim.rules.muon.Muon
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-07,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.775,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float = 0.2,
        *,
        conv: bool = True,
        head: bool = False,
        adjusted: bool = True,
        head_layers: Sequence[str] | None = None,
    ) -> None: ...

class Nadam(Derived):
    """Step by a mean of the gradient that looks one step ahead, over the root of its mean square."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.nadam.Nadam
    rule: optselect.optim.rules.nadam.Nadam
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-07,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class NadamW(Derived):
    """Step by a mean of the gradient that looks one step ahead, over the root of its mean square."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.nadamw.NadamW
    rule: optselect.optim.rules.nadamw.NadamW
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-08,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class NovoGrad(Derived):
    """Step by a sum of gradients, each over the root of the mean square of its variable's gradient norm."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.novograd.NovoGrad
    rule: optselect.optim.rules.novograd.NovoGrad
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        weight_decay: float | None = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.25,
        epsilon: float = 1e-06,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Prodigy(Derived):
    """Step as AdamW, by an estimate d of the distance from the start to the solution, which only grows."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.prodigy.Prodigy
    rule: optselect.optim.rules.prodigy.Prodigy
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 1.0,
        weight_decay: float | None = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-08,
        initial_distance: float = 1e-06,
        coefficient: float = 1.0,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class RAdam(Derived):
    """Step as Adam, by as much less as its mean square is uncertain."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.radam.RAdam
    rule: optselect.optim.rules.radam.RAdam
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        weight_decay: float | None = 0.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-08,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class RMSprop(Derived):
    """Step by the gradient over the root of its mean square (centered: of its variance)."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.rmsprop.RMSprop
    rule: optselect.optim.rules.rmsprop.RMSprop
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-07,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class SGD(Derived):
    """Step against the gradient, with a velocity that remembers earlier steps."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.sgd.SGD
    rule: optselect.optim.rules.sgd.SGD
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class SOAP(Derived):
    """Step as Adam in a slowly turning basis in which the gradient's entries hang together least."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.soap.SOAP
    rule: optselect.optim.rules.soap.SOAP
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.003,
        weight_decay: float | None = 0.01,
        beta_1: float = 0.95,
        beta_2: float = 0.95,
        epsilon: float = 1e-08,
        precondition_frequency: float = 10.0,
        max_dim: int = 10000,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class SWA(Derived):
    """Step as the rule; judge at the mean of the weights at `start` and every `period` steps from there."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.swa.SWA
    rule: optselect.optim.rules.swa.SWA
    def __init__(
        self,
        rule: str | Rule | Mapping[str, Any] | Optimizer | None = None,
        learning_rate: float | Callable[..., Any] | None = None,
        start: float = 0.0,
        period: float = 10.0,
        head_layers: Sequence[str] | None = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class ScheduleFreeAdamW(Derived):
    """Take gradients at y, between the iterate z of RMSprop and the average x of all z."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.schedule_free_adamw.ScheduleFreeAdamW
    rule: optselect.optim.rules.schedule_free_adamw.ScheduleFreeAdamW
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-08,
        warmup_steps: float = 0,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        *,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
    ) -> None: ...

class ScheduleFreeSGD(Derived):
    """Take gradients at y, between the iterate z of plain descent and the average x of all z."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.schedule_free_sgd.ScheduleFreeSGD
    rule: optselect.optim.rules.schedule_free_sgd.ScheduleFreeSGD
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 1.0,
        momentum: float = 0.9,
        weight_decay: float | None = 0.0,
        warmup_steps: float = 0.0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Signum(Derived):
    """Move every weight by the learning rate against the sign of its mean gradient."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.signum.Signum
    rule: optselect.optim.rules.signum.Signum
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.001,
        weight_decay: float | None = 0.0,
        momentum: float = 0.9,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...

class Yogi(Derived):
    """Step as Adam, with a mean square that forgets slowly when gradients become small."""

    kind: ClassVar[type[Rule]] = optselect.optim.rules.yogi.Yogi
    rule: optselect.optim.rules.yogi.Yogi
    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 0.001,
        initial_accumulator_value: float = 1e-06,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
    ) -> None: ...
