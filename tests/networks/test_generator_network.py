import torch
import torch.nn.functional as F

from recurra import Recurrent
from recurra.data.batches import TokenBatches
from recurra.networks import GeneratorNetwork, summed_loss, symbol_losses


def network(conditions: int = 3, dropout: float = 0.0) -> GeneratorNetwork:
    size = 8 if conditions else 4
    return GeneratorNetwork(10, conditions, 4, Recurrent("gru", size, 6), dropout)


def test_a_symbol_is_predicted_from_earlier_ones_only() -> None:
    net = network()
    tokens = torch.randint(10, (6, 2))
    label = torch.tensor([0, 2])
    before, _ = net(tokens, label)
    tokens[4] = (tokens[4] + 1) % 10
    after, _ = net(tokens, label)
    assert torch.equal(before[:4], after[:4])
    assert not torch.allclose(before[4:], after[4:])


def test_the_label_changes_the_prediction() -> None:
    net = network()
    tokens = torch.randint(10, (3, 1))
    assert not torch.allclose(net(tokens, torch.tensor([0]))[0], net(tokens, torch.tensor([1]))[0])


def test_going_on_from_the_state_equals_one_run() -> None:
    net = network()
    tokens, label = torch.randint(10, (7, 2)), torch.tensor([1, 2])
    whole, _ = net(tokens, label)
    first, state = net(tokens[:3], label)
    second, _ = net(tokens[3:], label, state)
    torch.testing.assert_close(torch.cat([first, second]), whole)


def test_without_labels_none_are_needed() -> None:
    logits, _ = network(conditions=0)(torch.randint(10, (3, 2)))
    assert logits.shape == (3, 2, 10)


def test_dropout_acts_in_training_only() -> None:
    net, tokens, label = network(dropout=0.5), torch.randint(10, (3, 2)), torch.tensor([0, 1])
    assert not torch.equal(net(tokens, label)[0], net(tokens, label)[0])
    net.eval()
    assert torch.equal(net(tokens, label)[0], net(tokens, label)[0])


def test_losses_are_cross_entropies_and_nothing_in_padding() -> None:
    net = network()
    (batch,) = TokenBatches([[3, 4, 5], [6]], [0, 1], batch_size=2)
    losses = symbol_losses(net, batch)
    logits, _ = net(batch.inputs, batch.condition)
    short = int(batch.targets[2, 0] == -100)
    column = 0 if short else 1
    assert losses[2:, column].tolist() == [0.0, 0.0]
    expected = F.cross_entropy(logits[:2, column], batch.targets[:2, column], reduction="none")
    torch.testing.assert_close(losses[:2, column], expected)
    total, count = summed_loss(net, batch)
    torch.testing.assert_close(total, losses.sum())
    assert count == 4 + 2


def test_a_weight_multiplies_its_sequence_in_sum_and_count() -> None:
    net = network()
    (plain,) = TokenBatches([[3, 4, 5], [6]], [0, 1], batch_size=2)
    (weighted,) = TokenBatches([[3, 4, 5], [6]], [0, 1], [3.0, 0.0], batch_size=2)
    total, count = summed_loss(net, weighted)
    column = int(torch.where(plain.condition == 0)[0])  # type: ignore[arg-type]
    torch.testing.assert_close(total, 3 * symbol_losses(net, plain)[:, column].sum())
    assert count == 12
