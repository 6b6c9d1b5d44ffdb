"""scikit-learn's own interface: estimators that search for their optimizer."""

from optselect.sklearn.estimators import OptimizerSearchClassifier, OptimizerSearchRegressor

__all__ = ["OptimizerSearchClassifier", "OptimizerSearchRegressor"]
