"""An independent judge of names: character n-grams and naive Bayes, nothing recurrent."""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline


class Judge:
    """Tells which countries a name may come from, having read the training names."""

    def __init__(self, names: Sequence[str], countries: Sequence[str]) -> None:
        ngrams = CountVectorizer(analyzer="char_wb", ngram_range=(1, 4), lowercase=False)
        self.model = make_pipeline(ngrams, MultinomialNB(alpha=0.1, fit_prior=False))
        self.model.fit(list(names), list(countries))

    def top(self, names: Sequence[str], countries: Sequence[str], k: int = 5) -> float:
        """Return how often a name's country is among the judge's first k."""
        logs = self.model.predict_log_proba(list(names))
        best = np.argsort(-logs, axis=1)[:, :k]
        columns = {country: n for n, country in enumerate(self.model.classes_)}
        hits = [columns[c] in row for c, row in zip(countries, best, strict=True)]
        return float(np.mean(hits))
