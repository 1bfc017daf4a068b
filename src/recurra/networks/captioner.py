"""One to many: from a picture, or a vector, to a sequence of symbols that tells what it is."""

from torch import Tensor, nn

from recurra.networks.convolution import ConvolutionalEncoder
from recurra.networks.decoder import AttentionDecoder, Encoded
from recurra.networks.embedding import drop_features


class CaptionerNetwork(nn.Module):
    """Looks at a picture and writes what it shows, word by word.

    The picture's vector is what the decoder's layer reads first (Vinyals et al., arXiv
    1411.4555, equation 10), and its grid of features what each word looks at (Xu et al., arXiv
    1502.03044, the soft kind). A vector instead of a picture is a grid of one cell.

    Args:
        encoder: what reads a picture; None where vectors are given.
        features: M, the features of a cell, or of the vectors given.
        decoder: what writes.
        dropout: the probability of a feature's being zeroed behind the encoder.
    """

    def __init__(
        self,
        encoder: ConvolutionalEncoder | None,
        features: int,
        decoder: AttentionDecoder,
        *,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.first = nn.Linear(features, decoder.recurrent.input_size)
        self.decoder = decoder
        self.dropout = dropout

    def encode(self, source: Tensor, lengths: Tensor | None = None) -> Encoded:
        """Look at pictures (B, C, H, W), or at vectors (B, M); they have no lengths."""
        if self.encoder is None:
            cells, vector = source.unsqueeze(0), source
        else:
            cells, vector = self.encoder(source)
        _, state = self.decoder.recurrent(self.first(vector).unsqueeze(0))
        return Encoded(drop_features(cells, self.dropout if self.training else 0.0), None, state)

    def forward(
        self, source: Tensor, tokens: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the logits of each next symbol (T, B, V) and the weights of the cells (T, B, S).

        source: (B, C, H, W) or (B, M); tokens: (T, B), the caption so far.
        """
        return self.decoder.taught(tokens, self.encode(source, lengths))
