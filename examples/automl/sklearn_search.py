"""scikit-learn's own tools around an estimator that searches for its optimizer.

A pipeline is cross-validated, and a grid search chooses the width of the model; each fit finds its optimizer anew.

uv run python examples/automl/sklearn_search.py
"""

from functools import partial

import keras
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from optselect.sklearn import OptimizerSearchRegressor


def build(input_shape, width):
    """A small net; the loss and the metrics of a number to predict are added where it is not compiled."""
    layers = [keras.layers.Dense(width, activation="relu"), keras.layers.Dense(1)]
    return keras.Sequential([keras.Input(input_shape), *layers])


def main(trials=8, epochs=20):
    x, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    x["sex"] = x["sex"].map({1.0: "a", 2.0: "b"})
    y = (y - y.mean()) / y.std()  # a model of your own gets y as it is

    search = OptimizerSearchRegressor(
        trials=trials, epochs=epochs, optimizers=["adam", "sgd"], care="quick", random_state=0
    )
    words = make_column_selector(dtype_include=["object", "str", "category"])
    prepare = make_column_transformer((OneHotEncoder(drop="if_binary"), words), remainder=StandardScaler())
    pipeline = make_pipeline(prepare, search)

    folds = KFold(3, shuffle=True, random_state=0)
    scores = cross_val_score(pipeline, x, y, cv=folds)
    print(
        f"default model: R2 {scores.mean():.3f} over {len(scores)} folds, from {scores.min():.3f} to {scores.max():.3f}"
    )

    widths = {"optimizersearchregressor__model": [partial(build, width=width) for width in (4, 64)]}
    grid = GridSearchCV(pipeline, widths, cv=folds).fit(x, y)
    found = grid.cv_results_
    for params, score in zip(found["params"], found["mean_test_score"], strict=True):
        model = params["optimizersearchregressor__model"]
        print(f"width {model.keywords['width']}: R2 {score:.3f}")
    best = grid.best_estimator_[-1]
    print(f"taken: width {best.model.keywords['width']}, {best.best_configuration_}")
    print(best.verdict_.text())


if __name__ == "__main__":
    main()
