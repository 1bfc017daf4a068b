import pytest
import torch

from recurra.networks.pooling import POOLINGS, Pooling
from recurra.networks.running_pool import RunningPool

LENGTHS = torch.tensor([7, 3, 0])


@pytest.mark.parametrize("kind", POOLINGS)
@pytest.mark.parametrize("cuts", [[7], [1, 1, 5], [3, 0, 4], [2, 2, 2, 1]])
def test_pieces_come_to_the_pooling_of_the_whole(kind: str, cuts: list[int]) -> None:
    torch.manual_seed(0)
    pooling = Pooling(kind, 4).eval()
    out = torch.randn(7, 3, 4) * 5
    running = RunningPool(pooling)
    kept = {k: v.expand(3, -1) for k, v in running.start(4).items()}
    first = 0
    with torch.no_grad():
        for size in cuts:
            lengths = (LENGTHS - first).clamp(0, size)
            piece = out[first : first + size] if size else torch.randn(1, 3, 4)
            kept = running.update(kept, piece, lengths)
            first += size
        torch.testing.assert_close(running.pooled(kept), pooling(out, LENGTHS), rtol=0, atol=1e-12)


def test_attention_survives_scores_of_any_size() -> None:
    torch.manual_seed(0)
    pooling = Pooling("attention", 4).eval()
    with torch.no_grad():
        pooling.query.weight.mul_(1e4)
        out = torch.randn(6, 1, 4)
        running = RunningPool(pooling)
        kept = {k: v.expand(1, -1) for k, v in running.start(4).items()}
        for step in out:
            kept = running.update(kept, step.unsqueeze(0), torch.ones(1).long())
        wanted = pooling(out, torch.tensor([6]))
        torch.testing.assert_close(running.pooled(kept), wanted, rtol=0, atol=1e-12)
