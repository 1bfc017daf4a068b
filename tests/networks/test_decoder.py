import pytest
import torch

from recurra import Recurrent
from recurra.errors import ArgumentError
from recurra.networks.decoder import AttentionDecoder, Encoded

CELLS = ["elman", "gru", "lstm", "s_lstm"]


def decoder(cell: str = "lstm", attention: str = "dot", dropout: float = 0.0) -> AttentionDecoder:
    layer = Recurrent(cell, 5, 6, num_layers=2)
    return AttentionDecoder(9, 5, layer, 7, attention=attention, dropout=dropout)


def memory(decoder: AttentionDecoder, B: int = 3) -> Encoded:
    state = tuple(torch.rand(2, B, size) for size in decoder.recurrent.state_sizes.values())
    return Encoded(torch.randn(4, B, 7), torch.tensor([4, 0, 2][:B]), state)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("attention", ["dot", "additive"])
def test_step_by_step_equals_all_steps_at_once(cell: str, attention: str) -> None:
    net = decoder(cell, attention)
    encoded, tokens = memory(net), torch.randint(9, (5, 3))
    whole, looked, last = net(tokens, encoded)
    assert whole.shape == (5, 3, 9)
    assert looked.shape == (5, 3, 4)
    state = None
    for t in range(5):
        logits, weights, state = net(tokens[t : t + 1], encoded, state)
        torch.testing.assert_close(logits[0], whole[t])
        torch.testing.assert_close(weights[0], looked[t])
    assert state is not None
    for a, b in zip(state, last, strict=True):
        torch.testing.assert_close(a, b)


def test_rows_that_share_a_memory_need_it_once() -> None:
    net = decoder()
    encoded, tokens = memory(net, 2), torch.randint(9, (4, 6))
    together, looked, _ = net(tokens, encoded)
    assert encoded.lengths is not None
    assert encoded.state is not None
    repeated = Encoded(
        encoded.memory.repeat_interleave(3, 1),
        encoded.lengths.repeat_interleave(3),
        tuple(s.repeat_interleave(3, 1) for s in encoded.state),
    )
    one_by_one, alone, _ = net(tokens, repeated)
    torch.testing.assert_close(together, one_by_one)
    torch.testing.assert_close(looked, alone)


def test_a_symbol_is_predicted_from_earlier_ones_and_the_memory_only() -> None:
    net = decoder()
    encoded, tokens = memory(net), torch.randint(9, (5, 3))
    before, _, _ = net(tokens, encoded)
    later = tokens.clone()
    later[3] = (later[3] + 1) % 9
    after, _, _ = net(later, encoded)
    assert torch.equal(before[:3], after[:3])
    assert not torch.allclose(before[3:], after[3:])
    other = Encoded(encoded.memory + 1, encoded.lengths, encoded.state)
    changed, _, _ = net(tokens, other)
    assert not torch.allclose(before[:, 0], changed[:, 0])
    assert torch.equal(before[:, 1], changed[:, 1])  # a row without memory


def test_it_starts_in_the_encoder_s_state() -> None:
    net = decoder()
    encoded, tokens = memory(net), torch.randint(9, (2, 3))
    assert encoded.state is not None
    fresh = Encoded(encoded.memory, encoded.lengths)
    zeros = Encoded(
        encoded.memory, encoded.lengths, tuple(torch.zeros_like(s) for s in encoded.state)
    )
    assert torch.equal(net(tokens, fresh)[0], net(tokens, zeros)[0])
    assert not torch.allclose(net(tokens, fresh)[0], net(tokens, encoded)[0])


def test_taught_reads_the_truth_unless_it_is_told_otherwise() -> None:
    net = decoder()
    encoded, tokens = memory(net), torch.randint(9, (5, 3))
    forced = net(tokens, encoded)[0]
    assert torch.equal(net.taught(tokens, encoded)[0], forced)
    net.ratio = 0.0
    assert torch.equal(net.eval().taught(tokens, encoded)[0], forced)


def test_without_the_truth_it_reads_what_it_draws_itself() -> None:
    net = decoder()
    net.ratio = 0.0
    with torch.no_grad():
        net.bias[4] = 1e4  # it always writes symbol 4
    encoded, tokens = memory(net), torch.randint(5, 9, (5, 3))
    own = torch.full_like(tokens, 4)
    own[0] = tokens[0]
    torch.testing.assert_close(net.taught(tokens, encoded)[0], net(own, encoded)[0])


def test_in_between_it_reads_about_as_many_true_symbols_as_it_should() -> None:
    net = decoder()
    net.ratio = 0.75
    with torch.no_grad():
        net.bias[4] = 1e4
    read: list[torch.Tensor] = []
    net.symbols.register_forward_hook(lambda module, given, out: read.append(given[0]))
    tokens = torch.full((200, 3), 5)
    net.taught(tokens, memory(net))
    share = (torch.cat(read)[1:] == 5).float().mean()
    assert 0.69 < share < 0.81


def test_gradients_reach_every_weight() -> None:
    net = decoder(dropout=0.2)
    encoded = memory(net)
    net.taught(torch.randint(9, (5, 3)), encoded)[0].sum().backward()
    for name, p in net.named_parameters():
        assert p.grad is not None, name
        assert p.grad.any(), name


def test_a_layer_of_two_directions_is_refused() -> None:
    with pytest.raises(ArgumentError, match="one direction, not two"):
        AttentionDecoder(9, 5, Recurrent("gru", 5, 6, bidirectional=True), 7)
