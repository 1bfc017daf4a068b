"""Many to many, encoder and decoder: from one sequence to another of another length."""

import torch
from torch import Tensor, nn

from recurra.errors import ArgumentError
from recurra.networks.decoder import AttentionDecoder, Encoded, State
from recurra.networks.encoder import Encoder


class TranslatorNetwork(nn.Module):
    """Reads a sequence, then writes another while looking back at what was read.

    The encoder's last state is what the decoder starts in, so both have the same cell, layers and
    sizes. Of an encoder that reads in both directions each state is mixed feature by feature,
    g⊙forward + (1 - g)⊙backward with g = σ(W·[forward; backward] + b): it lies between two states
    of the cell, so it is one that any cell can go on from.

    Args:
        encoder: what reads.
        decoder: what writes; its layer has the encoder's layers and state sizes.

    Raises `ArgumentError` where the two layers' states differ.
    """

    def __init__(self, encoder: Encoder, decoder: AttentionDecoder) -> None:
        super().__init__()
        read, written = encoder.recurrent, decoder.recurrent
        read.states().check_even("a translator")
        written.states().check_even("a translator")
        one, other = ({n: str(k[0]) for n, k in r.states().kinds.items()} for r in (read, written))
        if (read.num_layers, one) != (written.num_layers, other):
            raise ArgumentError(
                f"the encoder's state ({read.num_layers} layers of {one}) must be "
                f"the decoder's ({written.num_layers} layers of {other})."
            )
        self.encoder = encoder
        self.decoder = decoder
        self.mix = nn.ModuleList()
        if read.bidirectional:
            self.mix.extend(nn.Linear(2 * size, size) for size in read.state_sizes.values())

    def encode(self, source: Tensor, lengths: Tensor) -> Encoded:
        """Read the source: (S, B) symbols or (S, B, F) numbers, of lengths (B,)."""
        memory, state = self.encoder(source, lengths)
        return Encoded(memory, lengths, self._mixed(state))

    def forward(self, source: Tensor, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of each next symbol, and the weights of what was looked at.

        Args:
            source: (S, B) symbols or (S, B, F) numbers.
            tokens: (T, B), the target so far.
            lengths: (B,), the sources' steps.

        Returns logits (T, B, V) and weights (T, B, S).
        """
        return self.decoder.taught(tokens, self.encode(source, lengths))

    def _mixed(self, state: State) -> State:
        if not self.mix:
            return state
        mixed = []
        for each, mix in zip(self.encoder.recurrent.flat_state(state), self.mix, strict=True):
            both = each.view(-1, 2, *each.shape[1:])  # (L, D, B, size)
            forward, backward = both[:, 0], both[:, 1]
            g = torch.sigmoid(mix(torch.cat([forward, backward], -1)))
            mixed.append(g * forward + (1 - g) * backward)
        return self.decoder.recurrent.whole_state(tuple(mixed))
