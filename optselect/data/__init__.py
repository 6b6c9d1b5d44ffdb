"""Data sets: readers, what columns and targets mean, splits. Loads no TensorFlow."""

from optselect.data.data_options import DataOptions
from optselect.data.dataset import Data
from optselect.data.dates import Order
from optselect.data.numerals import Decimal
from optselect.data.readers import read
from optselect.data.schema import Schema, raw_inputs
from optselect.data.split_options import SplitOptions
from optselect.data.splitting import Split, split
from optselect.data.text_columns import Labels, MissingTarget
from optselect.data.weights import ClassWeight

__all__ = [
    "ClassWeight",
    "Data",
    "DataOptions",
    "Decimal",
    "Labels",
    "MissingTarget",
    "Order",
    "Schema",
    "Split",
    "SplitOptions",
    "raw_inputs",
    "read",
    "split",
]
