import torch
from torch import nn

from recurra import Recurrent
from recurra.networks.encoder import Encoder
from recurra.networks.pooled import PooledNetwork

X, LENGTHS = torch.ones(6, 4, 16), torch.tensor([6, 3, 1, 0])


def encoder(dropout: float) -> Encoder:
    torch.manual_seed(0)
    return Encoder(nn.Identity(), Recurrent("gru", 16, 8, bidirectional=True), dropout)


def test_features_are_zeroed_before_and_after_the_layer_in_training_only() -> None:
    made = encoder(0.5)
    seen: list[torch.Tensor] = []
    made.recurrent.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    out, _ = made(X, LENGTHS)
    assert (seen[0] == 0).any()
    assert torch.equal(seen[0][0], seen[0][5])
    gone = (out[:, 0] == 0).all(0)
    assert 0 < gone.sum() < 16
    made.eval()
    out, _ = made(X, LENGTHS)
    assert torch.equal(seen[1], X)
    assert not (out[:, 0] == 0).any()


def test_outputs_are_zero_past_a_rows_end() -> None:
    out, state = encoder(0.0).eval()(X, LENGTHS)
    assert torch.equal(out[3:, 1], torch.zeros(3, 16))
    assert state[0].shape == (2, 4, 8)


def test_a_pooled_network_gives_each_row_its_outputs_in_float64() -> None:
    network = PooledNetwork(encoder(0.0), "mix", 5).eval()
    out = network(X, LENGTHS)
    assert (out.shape, out.dtype) == ((4, 5), torch.float64)
    assert torch.equal(out[3], network.head.bias.double())
    assert network.train()(X, LENGTHS).dtype == torch.float32
