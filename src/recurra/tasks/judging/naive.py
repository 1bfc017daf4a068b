"""Models with nothing recurrent in them, fitted on the same training part: what to beat."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.inputs import Inputs, read_inputs


def linear_name(inputs: Inputs, model: str) -> str:
    """Return what the linear baseline of such inputs is called."""
    read = "summaries" if inputs.kind == "numbers" else "TF-IDF"
    return f"{read} + {model}"


def linear_predictions(X: Any, y: Sequence[Any], asked: Any, *, classes: bool) -> NDArray[Any]:
    """Return what a linear model fitted on `X` and `y` says of `asked`.

    Texts and lists of symbols are read as TF-IDF of words; of numbers the mean, the standard
    deviation, the smallest, the largest and the last of each feature are. The model is logistic
    regression for classes, ridge regression for numbers; scikit-learn's defaults, 1,000 iterations.
    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known, new = read_inputs(X), read_inputs(asked)
    model = LogisticRegression(max_iter=1000) if classes else Ridge()
    if known.kind == "numbers":
        pipeline = make_pipeline(StandardScaler(), model)
        pipeline.fit(summaries(known.rows), y)
        numbers: NDArray[Any] = pipeline.predict(summaries(new.rows))
        return numbers
    try:
        pipeline = make_pipeline(_tf_idf(known), model).fit(known.rows, y)
    except ValueError:  # not one word of two letters: characters, then
        pipeline = make_pipeline(_tf_idf(known, letters=True), model).fit(known.rows, y)
    answers: NDArray[Any] = pipeline.predict(new.rows)
    return answers


def summaries(rows: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return mean, deviation, smallest, largest and last of each feature: (n, 5 F); 0 if empty."""
    nothing = np.zeros(5 * rows[0].shape[1])
    return np.array(
        [
            np.concatenate([r.mean(0), r.std(0), r.min(0), r.max(0), r[-1]]) if len(r) else nothing
            for r in rows
        ]
    )


def _tf_idf(inputs: Inputs, *, letters: bool = False) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    if inputs.kind == "symbols":
        return TfidfVectorizer(analyzer=lambda row: row)
    return TfidfVectorizer(analyzer="char") if letters else TfidfVectorizer()
