"""The short form of `make fuzz`, and that it finds what is wrong."""

import time
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import torch

from fuzz import checks
from fuzz.awaited import AWAITED
from fuzz.cases import case_of, case_of_record, draw_case, run, run_source, smaller
from fuzz.cells import Change, read_node
from fuzz.expressions import Node
from fuzz.operations import Operation
from fuzz.reads import FUNCTIONS, NUMBERS, RECORDS, TENSORS, Record, Way
from recurra.backends import native

pytest.importorskip("recurra._core")
choose = import_module("recurra.backends.choose")  # the package has a function of that name

SECONDS = 12  # the cases are always the same; a slow machine runs fewer of them
CASES = 90


def test_random_cells_changes_and_calls_are_what_the_loop_gives() -> None:
    until = time.monotonic() + SECONDS
    checks.COUNTS.clear()
    ran = 0
    for seed in range(CASES):
        case = draw_case(seed, every=False)
        try:
            finding = run(case)
        except checks.NoCaseError:
            continue
        ran += 1
        if finding is not None:
            case = smaller(case, finding)
            pytest.fail(f"{run(case)}\n\n{case.script()}")
        if time.monotonic() > until:
            break
    tried = checks.COUNTS["native"] + checks.COUNTS["loop"]
    assert ran >= 10
    assert checks.COUNTS["native"] >= 0.35 * tried, checks.COUNTS


EVERY_WAY = [
    (way, change)
    for way in (*NUMBERS, *TENSORS, *FUNCTIONS)
    for change in read_node(way, 1, 3, Node("x", 3), "", "0.5")[1]
]


@pytest.mark.parametrize(
    ("way", "change"),
    [pair for pair in EVERY_WAY if pair[0].name not in AWAITED],
    ids=lambda part: part.name if isinstance(part, Way) else "",
)
def test_what_a_cell_reads_is_read_anew_after_a_change(way: Way, change: Change) -> None:
    case = case_of(way, change)
    assert run(case) is None, case.script()


@pytest.mark.parametrize(
    "record", [r for r in RECORDS if r.name not in AWAITED], ids=lambda record: record.name
)
def test_what_a_cell_writes_is_written_at_each_step_of_each_call(record: Record) -> None:
    case = case_of_record(record)
    assert run(case) is None, case.script()


def test_cells_are_drawn_that_read_in_every_way() -> None:
    every = {way.name for way in (*NUMBERS, *TENSORS, *FUNCTIONS)}
    assert len(every) > 100
    drawn: Counter[str] = Counter()
    for seed in range(3000):
        drawn.update(draw_case(seed).kinds())
    assert every <= drawn.keys(), every - drawn.keys()


def test_a_seed_gives_the_same_script() -> None:
    assert draw_case(7).source() == draw_case(7).source() != draw_case(8).source()


SCALED = """
class UserCell(nn.Module):
    state_sizes = {"h": 3}
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.by = 0.75
        self.inner = nn.Linear(2, 3)
    def forward(self, x, h):
        h = torch.tanh(self.inner(x) + self.by * h)
        return h, (h,)
layer = Recurrent(UserCell, 2, 3)
"""


@pytest.mark.parametrize(
    ("damage", "operations", "kind"),
    [
        (lambda out: out + 1e-6, "call(layer, 3, 2)", "wrong number"),
        (lambda out: out * torch.tensor([1.0, float("nan"), 1.0]), "call(layer, 3, 2)", "wrong number"),
        (lambda out: out.float(), "call(layer, 3, 2)", "wrong number"),
        (lambda out: out.detach(), "call(layer, 3, 2)", "wrong number"),
        (lambda out: out + 0 * out.nope, "call(layer, 3, 2)", "AttributeError where the loop runs"),
        (lambda out: out + 1e-6, "together(layer, 3, 2)", "wrong number"),
        (lambda out: out + 1e-6, "dead(layer, 3, 2, seed=4)", "wrong number"),
        (lambda out: out + 1e-6, "call(layer, 3, 2, lengths=True, reset=True)", "wrong number"),
    ],
)  # fmt: skip
def test_a_backend_that_is_wrong_is_found(
    damage: Callable[[Any], Any], operations: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_source(SCALED + operations) is None
    right = native.run_cell

    def wrong(*given: Any) -> Any:
        out, last = right(*given)
        return damage(out), last

    monkeypatch.setattr(native, "run_cell", wrong)
    finding = run_source(SCALED + operations)
    assert finding is not None
    assert finding.kind == kind


def test_a_trace_that_is_kept_too_long_is_found_and_made_smaller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: dict[Any, Any] = {}
    prepare = choose.prepare

    def first(cell: Any, dtype: torch.dtype) -> Any:
        return kept.setdefault((cell, dtype), prepare(cell, dtype))

    monkeypatch.setattr(choose, "prepare", first)
    way, change = next(pair for pair in EVERY_WAY if pair[0].name == "attribute")
    case = case_of(way, change)
    case.operations[:0] = [Operation("call", "layer.eval()"), case.operations[0]]
    case.operations.append(Operation("call", "call(layer, {T}, 3, lengths={lengths})", {"T": 7, "lengths": True}))  # fmt: skip
    finding = run(case)
    assert finding is not None
    assert finding.kind == "wrong number"
    least = smaller(case, finding)
    assert run(least).kind == "wrong number"  # type: ignore[union-attr]
    assert len(least.operations) == 3, least.script()  # a call, the change, a call
    assert "attribute" in least.kinds()
