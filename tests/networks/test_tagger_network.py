"""Scores at every step, and at the blank: what may be read, and what may not."""

import pytest
import torch

from recurra import Recurrent
from recurra.networks.encoder import Encoder
from recurra.networks.readers import SymbolReader
from recurra.networks.tagger import BlankNetwork, TaggerNetwork


def make(kind, *, bidirectional, num_layers=1):
    reader = SymbolReader(9, 4)
    recurrent = Recurrent("gru", 4, 5, num_layers, bidirectional=bidirectional)
    return kind(Encoder(reader, recurrent), 3).eval()


def test_a_tag_is_scored_at_every_step():
    network = make(TaggerNetwork, bidirectional=True)
    scores = network(torch.randint(3, 9, (6, 2)), torch.tensor([6, 4]))
    assert scores.shape == (6, 2, 3)
    assert scores.dtype == torch.float64
    network.train()
    assert network(torch.randint(3, 9, (6, 2)), torch.tensor([6, 4])).dtype == torch.float32


def test_a_tag_does_not_depend_on_padding_or_on_the_batch():
    network = make(TaggerNetwork, bidirectional=True, num_layers=2)
    row = torch.tensor([[3], [4], [5]])
    other = torch.randint(3, 9, (7, 3))
    together = other.clone()
    together[:3, 1] = row[:, 0]
    scores = network(together, torch.tensor([7, 3, 5]))
    alone = network(row, torch.tensor([3]))
    assert torch.equal(scores[:3, 1], alone[:, 0])


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("both", [True, False])
def test_forward_only_sees_the_left_alone(both, num_layers):
    network = make(BlankNetwork, bidirectional=both, num_layers=num_layers)
    left, right = torch.tensor([3, 4, 8]), torch.tensor([5, 6])

    def scores(symbols, blank):
        row = torch.tensor(symbols).unsqueeze(1)
        return network((row, torch.tensor([blank])), torch.tensor([len(row)]))

    first = scores([*left.tolist(), *right.tolist()], 2)
    assert first.shape == (1, 3)
    assert first.dtype == torch.float64
    others = [scores([*left.tolist(), *end], 2) for end in ([7, 6], [6, 5], [5], [], [5, 6, 7])]
    assert [torch.equal(first, other) for other in others] == [not both] * len(others)
    # The left is read by both.
    assert not torch.equal(first, scores([7, 4, 8, 5, 6], 2))


def test_each_row_is_answered_at_its_own_blank():
    network = make(BlankNetwork, bidirectional=True)
    rows = torch.randint(3, 9, (5, 3))
    lengths, blank = torch.tensor([5, 5, 5]), torch.tensor([0, 4, 2])
    together = network((rows, blank), lengths)
    out, _ = network.encoder(rows, lengths)
    for b in range(3):
        features = out[blank[b], b].double()
        want = features @ network.head.weight.double().T + network.head.bias.double()
        torch.testing.assert_close(together[b], want, rtol=0, atol=1e-12)
