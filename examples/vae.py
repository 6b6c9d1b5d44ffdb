"""A model with its own training step: a variational autoencoder of handwritten digits.

uv run python examples/vae.py
uv run optselect tune sklearn:digits --model examples/vae.py:build --objective val_reconstruction_loss

Its `train_step` and `test_step` return `loss`, so that there is a `val_loss`, and figures of their own, each of which
can be the objective. The digits' labels come to them too, and are not used.
"""

from __future__ import annotations

from typing import Any

import optselect


def build() -> Any:
    """Two numbers for each image of 8 x 8 pixels; compiled with any optimizer, the study sets it."""
    import keras
    import tensorflow as tf

    class VariationalAutoencoder(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            image, latent = keras.Input((64,)), keras.Input((2,))
            hidden = keras.layers.Dense(32, activation="relu")(image)
            moments = [keras.layers.Dense(2, name=name)(hidden) for name in ("mean", "log_variance")]
            self.encoder = keras.Model(image, moments)
            hidden = keras.layers.Dense(32, activation="relu")(latent)
            self.decoder = keras.Model(latent, keras.layers.Dense(64, activation="sigmoid")(hidden))
            self.noise = keras.random.SeedGenerator(0)
            self.trackers = [keras.metrics.Mean(name=name) for name in ("loss", "reconstruction_loss", "kl_loss")]

        @property
        def metrics(self) -> list[Any]:
            return self.trackers

        def losses_of(self, image: Any, *, noise: bool) -> tuple[Any, Any, Any]:
            mean, log_variance = self.encoder(image)
            spread = keras.ops.exp(0.5 * log_variance) * keras.random.normal(keras.ops.shape(mean), seed=self.noise)
            error = keras.ops.sum((image - self.decoder(mean + spread * noise)) ** 2, axis=1)
            divergence = keras.ops.sum(keras.ops.exp(log_variance) + mean**2 - 1.0 - log_variance, axis=1) / 2
            reconstruction, kl = keras.ops.mean(error), 0.1 * keras.ops.mean(divergence)
            return reconstruction + kl, reconstruction, kl

        def reported(self, losses: tuple[Any, Any, Any]) -> dict[str, Any]:
            for tracker, value in zip(self.trackers, losses, strict=True):
                tracker.update_state(value)
            return {tracker.name: tracker.result() for tracker in self.trackers}

        def train_step(self, data: Any) -> dict[str, Any]:
            image, _ = data
            with tf.GradientTape() as tape:
                losses = self.losses_of(image / 16.0, noise=True)
            gradients = tape.gradient(losses[0], self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return self.reported(losses)

        def test_step(self, data: Any) -> dict[str, Any]:
            image, _ = data
            return self.reported(self.losses_of(image / 16.0, noise=False))

    model = VariationalAutoencoder()
    model.compile()
    return model


def main(trials: int = 6, epochs: int = 5) -> None:
    """Tune two optimizers for it."""
    result = optselect.tune(
        build,
        "sklearn:digits",
        optimizers=["adam", "rmsprop"],
        trials=trials,
        epochs=epochs,
        search=optselect.SearchOptions(range_test=False),
        evaluation=optselect.Evaluation(care="quick", confirm=2, check=False),
        run=optselect.RunOptions(study="digits-vae"),
        tracking=optselect.Tracking(mlflow=None),
    )
    print(result.verdict.text())
    print(result.snippet)


if __name__ == "__main__":
    main()
