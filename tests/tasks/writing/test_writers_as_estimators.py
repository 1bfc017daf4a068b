import warnings

import pytest
from sklearn.utils.estimator_checks import check_estimator

from recurra.tasks.writing.captioner import Captioner
from recurra.tasks.writing.translator import Translator
from recurra.tasks.writing.writer import SequenceWriter


@pytest.mark.parametrize("task", [Captioner, Translator])
def test_scikit_learn_finds_nothing_wrong(task: type[SequenceWriter]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(task(epochs=1, hidden_size=4, embedding_size=4), on_fail=None)
    assert [r["check_name"] for r in results if r["status"] == "failed"] == []
    assert len(results) > 40
