"""Series ahead: a window of the past read, and what follows it forecast at once."""

import torch
from torch import Tensor, nn

from recurra.errors import ArgumentError
from recurra.layers import Recurrent
from recurra.networks.embedding import drop_features, embedding
from recurra.networks.heads import Head
from recurra.networks.linear import linear_like

DECODERS = ("direct", "recurrent")


class ForecastNetwork(nn.Module):
    """Forecasts H steps from a window of W, all at once: no forecast is fed back in.

    The recurrent layer reads the window. A "direct" decoder maps its last output to D features
    for each step ahead; a "recurrent" one runs a second layer over the steps ahead, from the state
    the first ended in. Covariates known ahead join in at their step. A linear model of the window's
    own values stands beside (the autoregressive part of LSTNet: Lai et al., arXiv 1703.07015,
    equations 6 and 7): the network learns what it leaves.

    Args:
        window, horizon: W and H.
        encoder: the layer, with input_size F + E.
        head: how P outputs are read.
        decoder: None for "direct", else the layer that runs over the steps ahead, of the size of
            the encoder and one direction, with input_size K + 2 (K covariates, how far ahead it
            is, and one, so that there is an input without covariates).
        known: K, covariates known ahead.
        series: how many series have an embedding; 0 for no embeddings. Number 0 is any other.
        series_features: E.
        autoregressive: whether there is the linear model.
        from_last: whether it begins as the window's last value, else as zero.
        dropout: the probability of a feature's being zeroed before and after the layer.
    """

    def __init__(
        self,
        window: int,
        horizon: int,
        encoder: Recurrent,
        head: Head,
        decoder: Recurrent | None = None,
        *,
        known: int = 0,
        series: int = 0,
        series_features: int = 0,
        autoregressive: bool = True,
        from_last: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.head = encoder, decoder, head
        self.horizon, self.dropout = horizon, dropout
        self.series = embedding(series + 1, series_features) if series_features else None
        size = encoder.output_size
        if decoder is None:
            self.steps = nn.Linear(size, horizon * size)
            self.known = nn.Linear(known, size, bias=False) if known else None
        elif encoder.bidirectional or decoder.bidirectional:
            raise ArgumentError("decoder='recurrent' goes without bidirectional=True.")
        self.out = nn.Linear(size, head.size)
        self.linear = nn.Linear(window, horizon, bias=False) if autoregressive else None
        with torch.no_grad():
            # At first a forecast is the standard normal distribution, near enough.
            self.out.weight.mul_(0.1)
            self.out.bias.copy_(torch.tensor(head.start()))
            if self.linear is not None:
                self.linear.weight.zero_()
                self.linear.weight[:, -1] = float(from_last)

    def forward(self, x: Tensor, series: Tensor, known: Tensor | None = None) -> Tensor:
        """Return forecasts (B, H, P), float64 when not training: a row is the same in any batch.

        Args:
            x: (W, B, F) float64, the windows; feature 0 is the series' own value.
            series: (B,), which series each is of, 0 for one not learned.
            known: (H, B, K) float64, the covariates of the steps ahead.
        """
        rate = self.dropout if self.training else 0.0
        dtype = self.out.weight.dtype
        wide = dtype if self.training else torch.float64
        read = x.to(dtype)
        if self.series is not None:
            read = torch.cat([read, self.series(series).expand(len(x), -1, -1)], -1)
        out, state = self.encoder(drop_features(read, rate))
        if self.decoder is None:
            last = drop_features(out[-1:], rate)[0].to(wide)
            features = torch.tanh(self._ahead(last, known))
        else:
            ran, _ = self.decoder(self._decoder_input(x, known).to(dtype), state)
            features = drop_features(ran, rate).transpose(0, 1).to(wide)
        raw = linear_like(self.out, features)
        if self.linear is not None:
            along = linear_like(self.linear, x[..., 0].T.to(wide))
            raw = torch.cat([raw[..., :1] + along.unsqueeze(-1), raw[..., 1:]], -1)
        return self.head.spread(raw)

    def _ahead(self, last: Tensor, known: Tensor | None) -> Tensor:
        """Return (B, H, D): a linear map of the last output a step ahead, and of its covariates."""
        steps = linear_like(self.steps, last).view(len(last), self.horizon, -1)
        if self.known is None or known is None:
            return steps
        return steps + linear_like(self.known, known.transpose(0, 1).to(last.dtype))

    def _decoder_input(self, x: Tensor, known: Tensor | None) -> Tensor:
        """Return (H, B, K + 2): the covariates, how far ahead from 0 to 1, and one."""
        far = torch.linspace(0, 1, self.horizon, dtype=x.dtype, device=x.device)
        place = far.view(-1, 1, 1).expand(-1, x.shape[1], 1)
        parts = [place, torch.ones_like(place)]
        return torch.cat(parts if known is None else [known, *parts], -1)
