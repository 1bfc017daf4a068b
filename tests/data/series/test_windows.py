import numpy as np
import torch

from recurra.data.series.windows import WindowBatches, Windows


def windows(n=10):
    steps = np.column_stack([np.arange(20.0), np.arange(20.0) * 10])
    ends = np.arange(4, 4 + n)
    return Windows(steps, ends, 3, np.zeros(n, dtype=np.int64), targets=steps[ends, :1])


def test_a_window_holds_the_steps_before_its_end_and_nothing_after():
    (batch,) = WindowBatches(windows(), 100)
    assert batch.x.shape == (3, 10, 2)
    assert batch.x[:, 0, 0].tolist() == [1, 2, 3]
    assert batch.x[:, 9, 1].tolist() == [100, 110, 120]
    assert batch.targets[:, 0].tolist() == list(range(4, 14))
    assert batch.known is None
    assert batch.weights.tolist() == [1] * 10


def test_each_window_comes_once_a_pass_in_an_order_of_its_own():
    batches = WindowBatches(windows(), 4, torch.Generator().manual_seed(0))
    assert len(batches) == 3
    passes = [torch.cat([batch.targets[:, 0] for batch in batches]).tolist() for _ in range(2)]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(4, 14))
    assert passes[0] != passes[1]


def test_windows_chosen_keep_their_own():
    whole = windows()
    known = np.arange(10.0).reshape(10, 1, 1)
    full = Windows(whole.steps, whole.ends, 3, np.arange(10), known, whole.targets, np.arange(10.0))
    (batch,) = WindowBatches(full.select(np.array([7, 2])), 5)
    assert batch.known[:, :, 0].tolist() == [[7, 2]]
    assert batch.series.tolist() == [7, 2]
    assert batch.weights.tolist() == [7, 2]
    assert batch.targets[:, 0].tolist() == [11, 6]
