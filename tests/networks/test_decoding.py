import math

import pytest
import torch
from torch import Tensor

from recurra.errors import ArgumentError
from recurra.networks import Sampling, collect, sample

State = tuple[Tensor, ...]
LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0])


def constant(logits: Tensor = LOGITS):  # type: ignore[no-untyped-def]
    """Return a step whose next symbol does not depend on anything."""

    def step(tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
        return logits.expand(*tokens.shape, -1).clone(), ()

    return step


def test_temperature_divides_the_logits() -> None:
    p = Sampling(temperature=0.5).probabilities(LOGITS)
    torch.testing.assert_close(p, (LOGITS.double() * 2).softmax(-1))


@pytest.mark.parametrize(("temperature", "first"), [(1e-310, 1.0), (1e-30, 1.0), (1e308, 0.25)])
def test_no_temperature_is_too_low_or_too_high(temperature: float, first: float) -> None:
    assert Sampling(temperature).probabilities(LOGITS)[0] == pytest.approx(first)


def test_top_k_keeps_the_likeliest_k() -> None:
    p = Sampling(top_k=2).probabilities(LOGITS)
    torch.testing.assert_close(p[:2], LOGITS[:2].double().softmax(-1))
    assert p[2:].tolist() == [0.0, 0.0]


def test_top_p_keeps_the_fewest_that_reach_p() -> None:
    full = LOGITS.double().softmax(-1)  # 0.644, 0.237, 0.087, 0.032
    p = Sampling(top_p=0.7).probabilities(LOGITS.flip(-1)).flip(-1)
    torch.testing.assert_close(p[:2], full[:2] / full[:2].sum())
    assert p[2:].tolist() == [0.0, 0.0]
    assert Sampling(top_p=1e-9).probabilities(LOGITS).tolist() == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0},
        {"temperature": -1},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"top_k": 0},
        {"top_p": 0},
        {"top_p": 1.5},
    ],
)
def test_sampling_refuses_what_it_cannot_draw_by(options: dict[str, float]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(options))):
        Sampling(**options)  # type: ignore[arg-type]


def test_sequences_end_at_the_end_symbol_and_not_all_at_once() -> None:
    start = torch.ones(1, 300, dtype=torch.long)
    rows = sample(constant(), start, end=0, max_length=50)
    assert all(0 not in row for row in rows)
    assert len({len(row) for row in rows}) > 2
    ended_at_once = sum(len(row) == 0 for row in rows) / 300
    assert abs(ended_at_once - float(LOGITS.softmax(-1)[0])) < 0.1


def test_banned_symbols_never_come_up() -> None:
    start = torch.ones(1, 300, dtype=torch.long)
    rows = sample(constant(), start, end=0, banned=(1, 3), max_length=50)
    assert {symbol for row in rows for symbol in row} == {2}


def test_no_sequence_is_shorter_or_longer_than_asked() -> None:
    start = torch.ones(1, 300, dtype=torch.long)
    rows = sample(constant(), start, end=0, min_length=2, max_length=3)
    assert {len(row) for row in rows} == {2, 3}


def test_each_step_sees_the_symbol_drawn_before_and_the_state() -> None:
    seen: list[tuple[list[list[int]], bool]] = []

    def step(tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
        seen.append((tokens.tolist(), state is None))
        nth = 0 if state is None else int(state[0]) + 1
        logits = torch.full((*tokens.shape, 5), -math.inf)
        logits[..., [2, 3, 0][nth]] = 0.0
        return logits, (torch.tensor(nth),)

    assert sample(step, torch.tensor([[4], [1]]), end=0, max_length=9) == [[2, 3]]
    assert seen == [([[4], [1]], True), ([[2]], False), ([[3]], False)]


def test_the_same_generator_seed_draws_the_same() -> None:
    start = torch.ones(1, 20, dtype=torch.long)
    first, second = (
        sample(
            constant(),
            start,
            end=0,
            max_length=9,
            generator=torch.Generator().manual_seed(3),
        )
        for _ in range(2)
    )
    assert first == second


def test_collecting_draws_until_there_are_enough() -> None:
    asked: list[int] = []

    def draw(count: int) -> list[list[str]]:
        asked.append(count)
        return [["a"]] * count

    assert collect(draw, 1200) == [["a"]] * 1200
    assert asked == [512, 512, 176]


def test_collecting_different_ones_gives_up_when_nothing_new_comes() -> None:
    rows = iter([["a"], ["b"], ["a"], ["c"]])
    asked = 0

    def draw(count: int) -> list[list[str]]:
        nonlocal asked
        asked += 1
        return [next(rows, ["a"])]

    assert collect(draw, 9, unique=True) == [["a"], ["b"], ["c"]]
    assert asked == 4 + 20
