import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from recurra.data.bags import BAG_BUCKETS, Bags
from recurra.networks.bag import BagOfWords, BesideBag, TextBatch

ROWS = [["not", "good", "not", "bad"], ["good"], []]


def test_a_bag_counts_words_and_pairs_in_any_order() -> None:
    bags = Bags.of(ROWS)
    assert bags.texts == 3
    assert bags.counts[bags.rows == 0].sum() == 4 + 3
    assert bags.counts.max() == 2  # "not"
    assert (bags.rows == 1).sum() == 1
    assert bags.terms.max() < BAG_BUCKETS
    assert len(Bags.of([[], []]).terms) == 0


def test_the_values_are_tf_idf_of_length_1() -> None:
    theirs = TfidfVectorizer(
        sublinear_tf=True, ngram_range=(1, 2), tokenizer=str.split, token_pattern=None
    )
    matrix = theirs.fit_transform([" ".join(row) for row in ROWS]).toarray()
    bags = Bags.of(ROWS)
    bag = BagOfWords(BAG_BUCKETS, 2)
    having = torch.zeros(BAG_BUCKETS).index_add(0, bags.terms, torch.ones(len(bags.terms)))
    bag.idf.copy_((4 / (1 + having)).log() + 1)
    ours = bag.values(bags)
    wanted = np.sort(matrix[0][matrix[0] > 0])
    np.testing.assert_allclose(np.sort(ours[bags.rows == 0]), wanted, rtol=1e-6)


def test_a_text_without_words_scores_the_bias() -> None:
    bag = BagOfWords(BAG_BUCKETS, 2)
    bag.idf.fill_(1.0)
    bag.weight.fill_(1.0)
    bag.bias.copy_(torch.tensor([0.5, -0.5]))
    scores = bag(Bags.of(ROWS))
    assert torch.equal(scores[2], torch.tensor([0.5, -0.5], dtype=torch.float64))
    assert torch.allclose(scores[1], torch.tensor([1.5, 0.5], dtype=torch.float64))


def test_the_network_trains_alone_and_predicts_with_the_bag() -> None:
    class Deep(torch.nn.Module):
        def forward(self, words: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
            return words

    both = BesideBag(Deep(), BagOfWords(BAG_BUCKETS, 2))
    both.bag.bias.copy_(torch.tensor([1.0, 2.0]))
    both.mix.copy_(torch.tensor([0.5, 2.0]))
    batch = TextBatch(torch.ones(3, 2), Bags.of(ROWS))
    lengths = torch.tensor([4, 1, 0])
    assert torch.equal(both(batch, lengths), torch.ones(3, 2))
    assert both.eval()(batch, lengths)[0].tolist() == [2.5, 4.5]
    assert not list(both.bag.parameters())
