import math

import pytest
import torch

from recurra import Recurrent
from recurra.errors import ArgumentError
from recurra.networks.decoder import AttentionDecoder
from recurra.networks.encoder import Encoder
from recurra.networks.readers import SymbolReader
from recurra.networks.translator import TranslatorNetwork


def network(cell: str = "lstm", both: bool = True, layers: int = 2) -> TranslatorNetwork:
    read = Recurrent(cell, 5, 6, layers, bidirectional=both)
    encoder = Encoder(SymbolReader(11, 5), read)
    decoder = AttentionDecoder(9, 4, Recurrent(cell, 4, 6, layers), encoder.output_size)
    return TranslatorNetwork(encoder, decoder)


@pytest.mark.parametrize("cell", ["elman", "lstm", "s_lstm", "min_gru"])
@pytest.mark.parametrize("both", [False, True])
def test_padding_and_other_rows_change_nothing(cell: str, both: bool) -> None:
    net = network(cell, both)
    source, tokens = torch.randint(11, (6, 3)), torch.randint(9, (4, 3))
    lengths = torch.tensor([6, 2, 0])
    together, weights = net(source, tokens, lengths)
    assert torch.isfinite(together).all()
    assert not weights[:, 1, 2:].any()
    source[2:, 1] = 0
    other, _ = net(source, tokens, lengths)
    assert torch.equal(other, together)
    alone, _ = net(source[:2, 1:2], tokens[:, 1:2], lengths[1:2])
    torch.testing.assert_close(alone, together[:, 1:2])


def test_of_one_direction_the_decoder_starts_where_the_encoder_ended() -> None:
    net = network(both=False)
    source, lengths = torch.randint(11, (6, 2)), torch.tensor([6, 3])
    encoded = net.encode(source, lengths)
    _, state = net.encoder(source, lengths)
    assert encoded.state is not None
    for a, b in zip(encoded.state, state, strict=True):
        assert torch.equal(a, b)


def test_of_two_directions_it_starts_between_their_states() -> None:
    net = network("s_lstm")
    source, lengths = torch.randint(11, (6, 2)), torch.tensor([6, 3])
    _, state = net.encoder(source, lengths)
    mixed = net.encode(source, lengths).state
    assert mixed is not None
    for whole, each, mix in zip(mixed, state, net.mix, strict=True):
        for layer in range(2):
            ahead, back = each[2 * layer], each[2 * layer + 1]
            g = torch.sigmoid(mix(torch.cat([ahead, back], -1)))
            torch.testing.assert_close(whole[layer], g * ahead + (1 - g) * back)


def test_what_was_read_reaches_what_is_written_and_back() -> None:
    net = network()
    source, tokens = torch.randint(11, (6, 2)), torch.randint(9, (4, 2))
    lengths = torch.tensor([6, 6])
    logits, _ = net(source, tokens, lengths)
    other = source.clone()
    other[5, 0] = (other[5, 0] + 1) % 11
    changed, _ = net(other, tokens, lengths)
    assert not torch.allclose(logits[:, 0], changed[:, 0])
    torch.testing.assert_close(logits[:, 1], changed[:, 1])
    logits.sum().backward()
    for name, p in net.named_parameters():
        assert p.grad is not None, name
        assert math.isfinite(float(p.grad.sum())), name


def test_layers_whose_states_differ_are_refused() -> None:
    encoder = Encoder(SymbolReader(11, 5), Recurrent("lstm", 5, 6))
    for other in (Recurrent("gru", 4, 6), Recurrent("lstm", 4, 7), Recurrent("lstm", 4, 6, 2)):
        with pytest.raises(ArgumentError, match=r"1 layers of .* must be the decoder's"):
            TranslatorNetwork(encoder, AttentionDecoder(9, 4, other, 6))
