import itertools
import math

import pytest
import torch
from torch import Tensor

from recurra import Recurrent
from recurra.errors import ArgumentError
from recurra.networks.beam import Beam, Hypothesis, beam_search
from recurra.networks.decoding import Step
from recurra.networks.generator import GeneratorNetwork

END = 0
V = 4


def network(seed: int = 0, cell: str = "lstm") -> GeneratorNetwork:
    torch.manual_seed(seed)
    net = GeneratorNetwork(V, 0, 5, Recurrent(cell, 5, 6, num_layers=2)).eval()
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(3)  # so that what comes next depends on what was before
    return net


def stepper(net: GeneratorNetwork) -> Step:
    return lambda tokens, state: net(tokens, None, state)


def log_p(net: GeneratorNetwork, start: int, symbols: tuple[int, ...]) -> float:
    tokens = torch.tensor([[start], *([s] for s in symbols)])
    with torch.no_grad():
        each = net(tokens)[0].double().log_softmax(-1)
    return sum(float(each[t, 0, s]) for t, s in enumerate((*symbols, END)))


def by_hand(net: GeneratorNetwork, start: int, longest: int, beam: Beam) -> list[Hypothesis]:
    """Return every sequence there is, the best first."""
    found = [
        Hypothesis(list(symbols), p := log_p(net, start, symbols), beam.score(p, n + 1))
        for n in range(longest + 1)
        for symbols in itertools.product(range(1, V), repeat=n)
    ]
    return sorted(found, key=lambda each: -each.score)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_beam_that_drops_nothing_finds_what_trying_all_finds(alpha: float, cell: str) -> None:
    net = network(cell=cell)
    beam = Beam(3**4, alpha)
    starts = [1, 2, 3]
    found = beam_search(
        stepper(net), torch.tensor([starts]), end=END, max_length=4, beam=beam, n_best=6
    )
    for start, hypotheses in zip(starts, found, strict=True):
        wanted = by_hand(net, start, 4, beam)[:6]
        assert [h.symbols for h in hypotheses] == [h.symbols for h in wanted]
        for h, w in zip(hypotheses, wanted, strict=True):
            assert h.log_p == pytest.approx(w.log_p, abs=1e-5)
            assert h.score == pytest.approx(w.score, abs=1e-5)


def slow_beam(net: GeneratorNetwork, start: int, longest: int, beam: Beam) -> Hypothesis:
    """Search one row, without stopping early, a sequence at a time."""
    live: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    ended: list[Hypothesis] = []
    for n in range(longest + 1):
        going = []
        for _, symbols in live:
            p = log_p(net, start, symbols)
            ended.append(Hypothesis(list(symbols), p, beam.score(p, n + 1)))
            tokens = torch.tensor([[start], *([s] for s in symbols)])
            with torch.no_grad():
                each = net(tokens)[0].double().log_softmax(-1)
            before = sum(float(each[t, 0, s]) for t, s in enumerate(symbols))
            going += [(before + float(each[-1, 0, s]), (*symbols, s)) for s in range(1, V)]
        live = sorted(going, reverse=True)[: beam.size]
    return max(ended, key=lambda each: each.score)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_narrow_beam_and_its_early_stop_are_those_of_a_plain_search(size: int, seed: int) -> None:
    net, beam = network(seed), Beam(size, 0.8)
    found = beam_search(stepper(net), torch.tensor([[1, 2]]), end=END, max_length=7, beam=beam)
    for start, hypotheses in zip((1, 2), found, strict=True):
        wanted = slow_beam(net, start, 7, beam)
        assert hypotheses[0].symbols == wanted.symbols
        assert hypotheses[0].score == pytest.approx(wanted.score, abs=1e-5)


def test_a_row_alone_is_found_as_in_a_batch() -> None:
    net = network()
    start = torch.tensor([[1, 2, 3, 2]])
    together = beam_search(stepper(net), start, end=END, max_length=8)
    for b in range(4):
        alone = beam_search(stepper(net), start[:, b : b + 1], end=END, max_length=8)
        assert alone[0][0].symbols == together[b][0].symbols


def scripted(table: dict[tuple[int, ...], list[float]], calls: list[int]) -> Step:
    """Return a step whose probabilities stand in a table; its state is what was read so far."""

    def step(tokens: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        calls.append(tokens.shape[1])
        read = tokens.T if state is None else torch.cat([state[0][0], tokens.T.float()], 1)
        rows = [table.get(tuple(int(s) for s in row[1:]), [0.97, 0.01, 0.02]) for row in read]
        return torch.tensor(rows).log().unsqueeze(0), (read.float().unsqueeze(0),)

    return step


def test_it_sees_past_a_likely_beginning() -> None:
    # 1 is likelier at first, but nothing that follows it is; after 2 the end is sure.
    table = {(): [0.0, 0.6, 0.4], (1,): [0.3, 0.4, 0.3], (2,): [1.0, 0.0, 0.0]}
    for size, wanted in ((1, [1, 1]), (2, [2])):
        step = scripted(table, [])
        found = beam_search(step, torch.tensor([[2]]), end=END, max_length=9, beam=Beam(size))
        assert found[0][0].symbols == wanted


def test_all_sequences_of_all_rows_are_one_call_a_step_and_it_stops_when_none_can_win() -> None:
    calls: list[int] = []
    table = {(): [0.0, 0.5, 0.5]}
    start = torch.zeros(1, 6, dtype=torch.long)
    beam_search(scripted(table, calls), start, end=END, max_length=50, beam=Beam(3))
    assert set(calls) == {18}
    assert len(calls) <= 3


def test_barred_symbols_and_lengths_are_kept() -> None:
    net = network()
    start = torch.tensor([[1, 2]])
    options = {"end": END, "beam": Beam(4), "n_best": 4}
    found = beam_search(stepper(net), start, banned=[2], min_length=2, max_length=3, **options)  # type: ignore[arg-type]
    for hypotheses in found:
        assert len(hypotheses) == 4
        assert all(2 <= len(h.symbols) <= 3 for h in hypotheses)
        assert all(not {0, 2} & set(h.symbols) for h in hypotheses)
    empty = beam_search(stepper(net), start, max_length=0, **options)  # type: ignore[arg-type]
    assert [[h.symbols for h in row] for row in empty] == [[[]], [[]]]


def test_a_batch_of_no_rows_finds_nothing() -> None:
    net = network()
    start = torch.zeros(1, 0, dtype=torch.long)
    assert beam_search(stepper(net), start, end=END, max_length=5) == []


def test_the_length_penalty_is_wu_s() -> None:
    assert Beam(1, 0.0).score(-3.0, 9) == -3.0
    assert Beam(1, 0.7).score(-3.0, 7) == pytest.approx(-3.0 / 2**0.7)
    assert Beam(1, 1.0).score(-3.0, 1) == -3.0


@pytest.mark.parametrize(
    ("size", "alpha", "message"),
    [
        (0, 0.0, "beam_size must be a whole number of at least 1, got 0"),
        (10_001, 0.0, "got 10001; it is at most 10,000"),
        (True, 0.0, "beam_size"),
        (2.5, 0.0, "beam_size"),
        (2, -0.1, "length_penalty must be a number of at least 0, got -0.1"),
        (2, math.nan, "length_penalty"),
    ],
)
def test_numbers_that_make_no_beam_are_refused(size: int, alpha: float, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Beam(size, alpha)


@pytest.mark.parametrize("n_best", [0, 3, 1.5])
def test_more_sequences_than_the_beam_has_are_refused(n_best: int) -> None:
    with pytest.raises(ArgumentError, match="n_best must be a whole number from 1 to beam_size=2"):
        beam_search(
            stepper(network()),
            torch.tensor([[1]]),
            end=END,
            max_length=3,
            beam=Beam(2),
            n_best=n_best,
        )
