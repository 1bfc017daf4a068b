"""How an estimator runs its network over rows, batch by batch."""

import numpy as np

from recurra.tasks.classifying.classifier import SequenceClassifier


def test_every_row_of_a_prediction_comes_back_in_its_place() -> None:
    draw = np.random.default_rng(0)
    rows = [draw.normal(size=draw.integers(1, 9)) for _ in range(600)]  # three batches
    model = SequenceClassifier(hidden_size=4, epochs=1, random_state=0)
    model.fit(rows[:40], np.arange(40) % 2)
    together = model.predict_proba(rows)
    alone = np.concatenate([model.predict_proba([row]) for row in rows[::50]])
    np.testing.assert_allclose(together[::50], alone, rtol=0, atol=1e-7)
    assert len(np.unique(together, axis=0)) == 600


def test_an_estimator_fitted_anew_to_texts_has_no_columns_left() -> None:
    model = SequenceClassifier(hidden_size=4, epochs=1, random_state=0)
    labels = [0, 1] * 10
    assert model.fit(np.arange(60.0).reshape(20, 3), labels).n_features_in_ == 3
    model.fit([f"text {k}" for k in range(20)], labels)
    assert not hasattr(model, "n_features_in_")
