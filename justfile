# The words of daily work; CI uses the same.

# list the words
default:
    @just --list

# install everything, byte code included (TensorFlow then starts in a third of the time)
setup:
    uv sync --extra dev --compile-bytecode

# all tests and doctests but the long ones
test *args:
    uv run --extra dev pytest {{args}}

# the tests that take minutes
slow *args:
    uv run --extra dev pytest -m slow {{args}}

# style, types, layers
lint:
    uv run --extra dev ruff check .
    uv run --extra dev ruff format --check .
    uv run --extra dev mypy
    uv run --extra dev lint-imports

# repair what ruff can, format everything, then show what is left
fix:
    uv run --extra dev ruff check --fix-only .
    uv run --extra dev ruff format .
    uv run --extra dev ruff check .

# lines and branches that tests run, the training processes included: `just coverage tests/verdict` for a part
coverage *args:
    uv run --extra dev pytest --cov --cov-report=term:skip-covered {{args}}

# assemble CHANGELOG.md from changelog.d for a release; `just changelog 0.3.0 --draft` shows it only
changelog version *args:
    uv run --extra dev towncrier build --version {{version}} {{args}}

# rooms, floors, imports between rooms and circles: `just rooms --at REVISION` for an earlier state
rooms *args:
    uv run --extra dev python -m benchmarks.import_graph {{args}}

# every rule, schedule and clipping beside Keras
parity:
    uv run optselect parity

# write what is generated from the rules: the default space, the pages of the optimizers, the type stubs
generate:
    uv run python -m scripts.generate

# build the site into docs/_build, where index.html opens without a server
docs:
    uv run --extra dev --extra docs sphinx-build -q -W --keep-going -n docs docs/_build

# optselect beside Optuna and KerasTuner around model.fit and scikit-learn, in one run (a quarter of an hour)
bench *args:
    uv run --extra bench python -m benchmarks.trainer {{args}}

# break every rule in every small way and count what the tests notice (half an hour)
mutation *args:
    uv run --extra dev python -m benchmarks.mutation {{args}}

# mistakes written by hand in the trainer, the optimizer classes, clippings and schedules, and what the tests notice (an hour)
mutation-trainer *args:
    uv run --extra dev python -m benchmarks.hand_mutants {{args}}

# searches side by side, over a table of real trainings and live (a quarter of an hour)
bench-search *args:
    uv run --extra bench python -m benchmarks.search {{args}}

# every claim of a verdict checked by new trainings, on 28 real data sets (half an hour)
bench-verdict *args:
    uv run --extra bench python -m benchmarks.verdict {{args}}

# early stopping beside a fixed number of epochs on real data sets, and beside Optuna (ten minutes)
bench-stopping *args:
    uv run --extra bench python -m benchmarks.early_stopping {{args}}

# the animations of docs/demo.md (two minutes)
gallery:
    #!/usr/bin/env bash
    set -euo pipefail
    demo() { uv run optselect demo "${@:2}" --out-file "docs/images/demo-$1.gif"; echo; }
    demo saddle --classic saddle
    demo saddle-best sgd "sgd(momentum=0.9)" "sgd(momentum=0.9, nesterov=True)" adagrad adadelta rmsprop adam --on saddle
    demo nesterov --classic nesterov
    demo noisy-bowl sgd "sgd(momentum=0.9)" adam "ema(sgd)" schedule_free_sgd --on noisy-bowl
    demo digits sgd "sgd(momentum=0.9)" adam muon --on sklearn:digits

# execute examples/notebook.ipynb anew and keep what it shows
notebook:
    uv run --extra dev python examples/run_notebook.py

# pictures of a report, of a real study
report-pictures:
    uv run --extra dev python docs/report_pictures.py

# pictures of the board in a terminal, of a real study
board-pictures:
    uv run --extra dev python docs/board_picture.py

# pictures of MLflow's pages, of a real study on a real server (three minutes)
mlflow-pictures:
    uv run --extra dev python docs/mlflow_pictures.py
