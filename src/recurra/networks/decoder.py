"""The decoder: a sequence of symbols, each from those before it and from what it looks at."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recurra.errors import ArgumentError
from recurra.layers import Recurrent
from recurra.networks.attention import build_attention
from recurra.networks.embedding import drop_features, embedding

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Encoded:
    """What an encoder hands to a decoder.

    memory: (S, B, M), what is looked at; lengths: (B,), each row's steps of it, None for all S;
    state: what the decoder starts in, each (L, B, H), None for its own initial state.
    """

    memory: Tensor
    lengths: Tensor | None = None
    state: State | None = None


class AttentionDecoder(nn.Module):
    """Predicts each next symbol from those before it and from an encoder's memory.

    The recurrent layer reads the symbols alone; its outputs then look at the memory, and
    h̃ = tanh(W·[c; h]) is what symbols are predicted from (Luong et al., arXiv 1508.04025,
    equation 5). Since no context is fed back into the recurrence, all T steps are one call where
    the symbols are known. A symbol's logit is the product of h̃ with its embedding (tied weights:
    Press and Wolf, arXiv 1608.05859).

    Args:
        symbols: V, how many symbols there are.
        embedding_size: E, the features of a symbol.
        recurrent: the layer, of one direction, with input_size E.
        memory_size: M, the features of a step of the memory.
        attention: "dot" or "additive".
        dropout: the probability of a feature's being zeroed before and after the layer, for a
            sequence the same features at every step.

    ratio: how often `taught` reads the true symbol; 1 until it is set.

    Raises `ArgumentError` for a layer of two directions, or an attention that is not known.
    """

    def __init__(
        self,
        symbols: int,
        embedding_size: int,
        recurrent: Recurrent,
        memory_size: int,
        *,
        attention: str = "dot",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if recurrent.bidirectional:
            raise ArgumentError("a decoder's layer must have one direction, not two.")
        self.symbols = embedding(symbols, embedding_size, 1 / math.sqrt(embedding_size))
        recurrent.states().check_even("a decoder")
        self.recurrent = recurrent
        size = recurrent.output_size
        self.attention = build_attention(attention, size, memory_size, size)
        self.combine = nn.Linear(size + memory_size, embedding_size)
        self.bias = nn.Parameter(torch.zeros(symbols))
        self.dropout = dropout
        self.ratio = 1.0

    def forward(
        self, tokens: Tensor, encoded: Encoded, state: State | None = None
    ) -> tuple[Tensor, Tensor, State]:
        """Return the logits of each next symbol, what was looked at, and the last state.

        Args:
            tokens: (T, B·K), the symbols so far; the K rows of each of the memory's B rows stand
                side by side (K is 1 but in a beam search).
            encoded: the memory of B rows.
            state: what an earlier call returned, to go on from there; None starts from the
                encoder's.

        Returns logits (T, B·K, V), weights (T, B·K, S) and the recurrent layer's state.
        """
        T, rows = tokens.shape
        B = encoded.memory.shape[1]
        x = self.symbols(tokens) * math.sqrt(self.symbols.embedding_dim)
        if state is None and encoded.state is not None:
            state = tuple(s.repeat_interleave(rows // B, 1) for s in encoded.state)
        out, state = self.recurrent(drop_features(x, self._rate()), state)
        # The rows that share a memory are queries of it, as steps are: it need not be repeated.
        query = out.view(T, B, rows // B, -1).transpose(1, 2).flatten(0, 1)
        context, weights = self.attention(query, encoded.memory, encoded.lengths)
        context, weights = (
            each.view(T, rows // B, B, -1).transpose(1, 2).reshape(T, rows, -1)
            for each in (context, weights)
        )
        combined = self.combine(drop_features(torch.cat([context, out], -1), self._rate()))
        logits = nn.functional.linear(torch.tanh(combined), self.symbols.weight, self.bias)
        return logits, weights, state

    def taught(self, tokens: Tensor, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """Return the logits of each next symbol, and the weights, as in training.

        Each symbol after the first is read as it is with probability `ratio`, else one drawn from
        what the decoder predicts there is read: scheduled sampling, Bengio et al., arXiv
        1506.03099, section 2.4. It takes T calls instead of one; with a ratio of 1, and when not
        training, this is `forward`.

        Args:
            tokens: (T, B), the true symbols.
            encoded: the memory of B rows.

        Returns logits (T, B, V) and weights (T, B, S).
        """
        if not self.training or self.ratio >= 1:
            return self(tokens, encoded)[:2]  # type: ignore[no-any-return]
        state: State | None = None
        read, steps = tokens[:1], []
        for t in range(len(tokens)):
            logits, weights, state = self(read, encoded, state)
            steps.append((logits, weights))
            if t + 1 < len(tokens):
                drawn = torch.multinomial(logits[0].detach().softmax(-1), 1).T
                true = torch.rand(drawn.shape, device=drawn.device) < self.ratio
                read = torch.where(true, tokens[t + 1 : t + 2], drawn)
        return torch.cat([logits for logits, _ in steps]), torch.cat([w for _, w in steps])

    def _rate(self) -> float:
        return self.dropout if self.training else 0.0
