import pytest
import torch

from recurra import Recurrent
from recurra.errors import ArgumentError, ShapeError
from recurra.networks.captioner import CaptionerNetwork
from recurra.networks.convolution import ConvolutionalEncoder
from recurra.networks.decoder import AttentionDecoder


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 31), (32, 32), (65, 40), (8, 200)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_of_any_size_becomes_a_grid_of_cells(
    height: int, width: int, channels: int
) -> None:
    encoder = ConvolutionalEncoder(height, width, channels, 24)
    cells, vector = encoder(torch.randn(2, channels, height, width))
    rows, columns = encoder.grid
    assert cells.shape == (rows * columns, 2, 24)
    assert 8 <= min(rows, columns) <= 16
    torch.testing.assert_close(vector, cells.mean(0))


def test_cells_stand_row_by_row() -> None:
    encoder = ConvolutionalEncoder(16, 24, 1, 16).eval()
    images = torch.zeros(1, 1, 16, 24)
    before, _ = encoder(images)
    images[0, 0, 1, 22] = 5.0  # top, right
    after, _ = encoder(images)
    change = (after - before).abs().sum(-1)[:, 0].view(encoder.grid)
    place = int(change.argmax())
    rows, columns = encoder.grid
    assert place // columns < rows / 3
    assert place % columns > columns * 2 / 3


def test_a_picture_alone_is_read_as_in_a_batch() -> None:
    encoder = ConvolutionalEncoder(16, 16, 3, 16).eval()
    images = torch.randn(4, 3, 16, 16)
    together, _ = encoder(images)
    for k in range(4):
        torch.testing.assert_close(encoder(images[k : k + 1])[0], together[:, k : k + 1])


def test_the_same_shape_elsewhere_is_told_apart() -> None:
    encoder = ConvolutionalEncoder(32, 32, 1, 16).eval()
    left, right = torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
    left[0, 0, 12:16, 8:12] = 1.0
    right[0, 0, 12:16, 20:24] = 1.0
    a, b = encoder(left)[1], encoder(right)[1]
    assert (a - b).abs().max() > 0.01 * a.abs().max()  # without the places: none


def test_sizes_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(ArgumentError, match="at least 8 x 8 pixels, got 7 x 20"):
        ConvolutionalEncoder(7, 20, 3, 16)
    with pytest.raises(ArgumentError, match="multiple of 8, got 12"):
        ConvolutionalEncoder(8, 8, 3, 12)
    with pytest.raises(ShapeError, match=r"\(B, 3, 8, 9\), got \(2, 8, 9, 3\)"):
        ConvolutionalEncoder(8, 9, 3, 16)(torch.randn(2, 8, 9, 3))


def captioner(cell: str, vectors: bool = False) -> CaptionerNetwork:
    encoder = None if vectors else ConvolutionalEncoder(10, 12, 3, 16)
    decoder = AttentionDecoder(9, 5, Recurrent(cell, 5, 6, num_layers=2), 16)
    return CaptionerNetwork(encoder, 16, decoder)


@pytest.mark.parametrize("cell", ["elman", "gru", "lstm", "s_lstm"])
@pytest.mark.parametrize("vectors", [False, True])
def test_what_is_written_depends_on_the_picture(cell: str, vectors: bool) -> None:
    net = captioner(cell, vectors).eval()
    images = torch.randn(2, 16) if vectors else torch.randn(2, 3, 10, 12)
    tokens = torch.randint(9, (4, 2))
    logits, weights = net(images, tokens)
    assert logits.shape == (4, 2, 9)
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, 2))
    images[0] += torch.randn_like(images[0])
    changed, _ = net(images, tokens)
    assert not torch.allclose(logits[:, 0], changed[:, 0])
    torch.testing.assert_close(logits[:, 1], changed[:, 1])


def test_the_picture_is_what_the_decoder_s_layer_reads_first() -> None:
    net = captioner("gru").eval()
    images, tokens = torch.randn(2, 3, 10, 12), torch.randint(9, (3, 2))
    encoded = net.encode(images)
    assert net.encoder is not None
    first = net.first(net.encoder(images)[1]).unsqueeze(0)
    _, state = net.decoder.recurrent(first)
    assert encoded.state is not None
    torch.testing.assert_close(encoded.state[0], state[0])
    net(images, tokens)[0].sum().backward()
    for name, p in net.named_parameters():
        assert p.grad is not None, name
        assert torch.isfinite(p.grad).all(), name
