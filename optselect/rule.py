"""The update rule of an optimizer: pure functions on tensors, numbers in, numbers out."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar

from optselect.hyper import Declared
from optselect.lazy import ops

__all__ = ["Rule", "Scalar", "cast", "choose", "exact"]

Tensor = Any
State = dict[str, Tensor]


class Rule(Declared):
    """An optimizer's update rule; one subclass a module of `optselect.rules`.

    A rule is written for one variable. `init(param)` gives its slots, zero-step state by name; `update`
    gives the new variable and slots. Inside `update` the hyperparameters are Python numbers or, in a traced
    program, weak scalars (`Scalar`); write arithmetic, `choose` for flags and `cast` where Keras casts.
    """

    paper: ClassVar[str] = ""
    twin: ClassVar[str] = ""  # the Keras class that it equals, "keras.optimizers.Adam"
    elementwise: ClassVar[bool] = True  # each entry of the variable moves by itself: a flat vector will do

    def init(self, param: Tensor) -> State:
        """Slots at step 0. `param`: any shape. A slot has the shape of `param` or is a scalar."""
        raise NotImplementedError

    def update(self, grad: Tensor, param: Tensor, state: State, step: Tensor) -> tuple[Tensor, State]:
        """One step. `grad`, `param`: any one shape and dtype; `step`: integer scalar, counts from 1."""
        raise NotImplementedError


class Scalar:
    """A number known at run time that bends to the dtype of the tensor it meets, as a Python float does.

    It holds a float64 tensor, so `1 - beta` is taken in float64 and rounded once, when it meets a float32
    tensor: 1 - 0.999 is then 0.001 to the last bit, not 0.00100005. Keras computes the same with Python floats.

    value: float64 (or bool) scalar tensor.
    """

    __slots__ = ("value",)
    __array_priority__ = 1000

    def __init__(self, value: Tensor) -> None:
        self.value = value

    def to(self, dtype: Any) -> Tensor:
        """The number as a tensor of `dtype`, rounded once."""
        return ops.cast(self.value, dtype)

    def _meet(self, other: Any, operate: Any) -> Any:
        if isinstance(other, Scalar):
            return Scalar(operate(self.value, other.value))
        if isinstance(other, numbers.Real):
            return Scalar(operate(self.value, float(other)))
        return operate(self.to(other.dtype), other)

    def __add__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: a + b)

    def __radd__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: b + a)

    def __sub__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: a * b)

    def __rmul__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: b * a)

    def __truediv__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: a / b)

    def __rtruediv__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: b / a)

    def __pow__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: a**b)

    def __rpow__(self, other: Any) -> Any:
        return self._meet(other, lambda a, b: b**a)

    def __neg__(self) -> Scalar:
        return Scalar(-self.value)


def cast(value: Any, dtype: Any) -> Tensor:
    """`value` as a tensor of `dtype`, the way Keras casts a hyperparameter: through float32, also to float64.

    `keras.ops.cast(0.9, "float64")` is 0.8999999761581421: a number passes through Keras's float type first.
    """
    if isinstance(value, Scalar):
        return ops.cast(ops.cast(value.value, "float32"), dtype)
    return ops.cast(value, dtype)


def exact(value: Any, dtype: Any) -> Tensor:
    """`value` as a tensor of `dtype`, rounded once: for operations that are functions and so meet no `Scalar`."""
    return value.to(dtype) if isinstance(value, Scalar) else ops.convert_to_tensor(value, dtype=dtype)


def choose(flag: Any, yes: Tensor, no: Tensor) -> Tensor:
    """`yes` where `flag` is true, else `no`; `flag`: a Python bool or a `Scalar` that holds a bool."""
    if isinstance(flag, Scalar):
        return ops.where(flag.value, yes, no)
    return yes if flag else no
