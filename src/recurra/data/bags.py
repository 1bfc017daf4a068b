"""Which words and word pairs texts have, whatever their order."""

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

BAG_BUCKETS = 2**17  # words and pairs are told apart by a hash into this many


@dataclass(frozen=True)
class Bags:
    """The words and pairs of B texts.

    terms: (P,) int64, their buckets; rows: (P,) int64, which text has each; counts: (P,) float64,
    how often; texts: B.
    """

    terms: Tensor
    rows: Tensor
    counts: Tensor
    texts: int

    @classmethod
    def of(cls, rows: Sequence[Sequence[str]], device: torch.device | str = "cpu") -> "Bags":
        """Count the words and pairs of texts that were cut into words."""
        counted = [Counter(map(_bucket, [*row, *map(" ".join, pairwise(row))])) for row in rows]
        sizes = torch.tensor([len(counts) for counts in counted])
        return cls(
            torch.tensor([term for counts in counted for term in counts], dtype=torch.int64).to(
                device
            ),
            torch.arange(len(rows)).repeat_interleave(sizes).to(device),
            torch.tensor([n for counts in counted for n in counts.values()]).double().to(device),
            len(rows),
        )


def _bucket(term: str) -> int:
    return zlib.crc32(term.encode("utf-8", "replace")) % BAG_BUCKETS
