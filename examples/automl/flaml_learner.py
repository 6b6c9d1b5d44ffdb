"""FLAML with a learner whose optimizer is searched: AutoML weighs it against the others by its own rules.

uv run --extra automl python examples/automl/flaml_learner.py
"""

import warnings

from flaml import AutoML, tune
from flaml.automl.model import SKLearnEstimator
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from optselect.sklearn import OptimizerSearchClassifier


class SearchedNet(SKLearnEstimator):
    """FLAML tunes how long each training is; optselect finds the optimizer and its settings within every fit."""

    def __init__(self, task="binary", **config):
        super().__init__(task, **config)
        self.params.pop("n_jobs", None)
        self.estimator_class = OptimizerSearchClassifier

    @classmethod
    def search_space(cls, data_size, task, **options):
        return {"epochs": {"domain": tune.lograndint(lower=5, upper=40), "init_value": 10, "low_cost_init_value": 5}}

    def config2params(self, config):
        return {**config, "trials": 8, "optimizers": ["adam", "sgd"], "care": "quick", "confirm": 0, "random_state": 0}

    @classmethod
    def cost_relative2lgbm(cls):
        return 1  # an honest number is so large that FLAML would not try it in so short a run


def main(trials=20):
    warnings.filterwarnings("ignore", category=FutureWarning)
    x, y = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)
    automl = AutoML()
    automl.add_learner("optselect", SearchedNet)
    automl.fit(
        x_train,
        y_train,
        task="classification",
        metric="log_loss",
        estimator_list=["lgbm", "lrl1", "optselect"],
        max_iter=trials,
        time_budget=-1,
        eval_method="holdout",
        seed=0,
        verbose=0,
    )
    for name, loss in sorted(automl.best_loss_per_estimator.items(), key=lambda item: item[1]):
        print(f"{name}: validation log loss {loss:.4f}, {automl.best_config_per_estimator[name]}")
    print(f"FLAML takes {automl.best_estimator}: test log loss {log_loss(y_test, automl.predict_proba(x_test)):.4f}")


if __name__ == "__main__":
    main()
