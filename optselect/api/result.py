"""What a study found, as its caller gets it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optselect.data import raw_inputs
from optselect.errors import DamagedFile, NoResult
from optselect.session.outcome import Outcome
from optselect.session.saved_model import is_model
from optselect.verdict import Estimate

if TYPE_CHECKING:
    import pandas as pd

    from optselect.api.replay import Replay

__all__ = ["Result"]


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Result(Outcome):
    """What a study found.

    Parameters
    ----------
    name : str
        Name of the study.
    verdict : Verdict
        The ranking with its evidence.
    total_steps : int
        Number of steps of one training with the best configuration, which `best.optimizer(total_steps=...)` takes.
    snippet : str
        Code to paste after `model = ...`.
    directory : Path
        The folder of the study: the ledger, `recommendation.json`, `snippet.py`, `best.keras` (trained on the
        validation set too; takes raw columns), `study.db`, `worker.log`.
    description : TaskDescription
        Facts about data and model.
    records : sequence of TrialRecord
        Every run of the study.
    search : Findings
        What the search found besides its best configuration.
    spec : TaskSpec
        The task.
    dashboard : str, default ""
        How to see the runs in MLflow, "" without MLflow.
    registered : str, default ""
        Name and version of the model in MLflow's registry, "" if it is not registered.
    resumed : int, default 0
        Number of trials that existed before the call.
    """

    @property
    def metrics(self) -> dict[str, Estimate]:
        """The recommended configuration's metrics by name, the reported one first: mean and interval over seeds.

        They are of the test set, or, where nothing was confirmed, the reported one alone, of the validation set.
        """
        best = self.verdict.recommended
        return {self.verdict.headline: best.held_out, **(best.metrics or {})}

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial: number, stage, arm, seed, outcome, value, seconds, hyperparameters, final metrics."""
        import pandas as pd

        rows = [
            {
                "number": r.number,
                "stage": r.stage,
                "optimizer": r.arm,
                "seed": r.seed,
                "outcome": r.outcome,
                "value": r.value,
                "seconds": r.seconds,
                "schedule": r.configuration.schedule.name,
                "clipping": r.configuration.clipping.name,
                "batch_size": r.configuration.batch_size,
                "learning_rate": r.configuration.learning_rate,
                **r.configuration.rule.named_numbers(),
                **r.metrics,
            }
            for r in sorted(self.records, key=lambda r: r.number)
        ]
        return pd.DataFrame(rows)

    def model(self) -> Any:
        """Load the trained Keras model that takes raw columns from `best.keras`.

        Returns
        -------
        keras.Model
            The model.

        Raises
        ------
        NoResult
            If its training failed, or if the file is gone.
        DamagedFile
            If the file is torn.
        """
        path = self.directory / "best.keras"
        if not is_model(path):
            torn = path.exists()
            raise (DamagedFile if torn else NoResult)(
                f"{path} is {'torn or no Keras model' if torn else 'not there'}. Call `tune` as before: it trains the "
                "model to keep again, if that is possible."
            )
        import keras

        from optselect import optimizers

        optimizers.register()
        return keras.saving.load_model(path)

    def predict(self, rows: Any) -> dict[str, Any]:
        """Predict with `best.keras`.

        Parameters
        ----------
        rows : DataFrame or ndarray or dict of ndarray
            Raw rows, as they were given for training, without the target.

        Returns
        -------
        dict
            Arrays of shape (rows,): "prediction" (a label, or a number in units of the target) and, in classification,
            its "probability". With several targets a dict of such dicts, by target.

        Raises
        ------
        NoResult
            If there is no model.
        DamagedFile
            If the file of the model is torn.
        """
        inputs = rows if self.spec.schema is None else raw_inputs(rows, self.spec.schema)
        answers = self.model().predict(inputs, verbose=0)
        if len(self.spec.targets) == 1:
            return self.spec.targets[0].decoded(answers)
        return {target.name: target.decoded(answers[target.name]) for target in self.spec.targets}

    def replay(self, *, seeds: int = 10, seed: int = 0) -> Replay:
        """Train the recommendation on new seeds and check that its metric is as stated; see `api.replay`.

        Parameters
        ----------
        seeds : int, default 10
            Number of new seeds.
        seed : int, default 0
            Random seed from which the new seeds are derived.

        Returns
        -------
        Replay
            The result.
        """
        from optselect.api.replay import replay

        return replay(self.directory, seeds=seeds, seed=seed, spec=self.spec)

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report again; see `api.report`.

        Parameters
        ----------
        path : str or Path, optional
            The file. Default: `report.html` in `directory`.

        Returns
        -------
        Path
            The file.
        """
        from optselect.api.report import report

        return report(self.directory, path=path).path

    def __repr__(self) -> str:
        return f"<Result of {self.name}: {self.best}; {len(self.records)} trials in {self.directory}>"

    def _repr_html_(self) -> str:
        from optselect.api.in_notebook import shown

        return shown(self)
