"""What a cell says of itself, and the affine maps that cells share."""

import pytest
import torch
from torch import nn

from recurra import Affine, Cell
from recurra.cells.cell import bind
from recurra.cells.sizes import check_size
from recurra.errors import ArgumentError, ArgumentTypeError, RecurraError


@pytest.mark.parametrize("gates", [1, 3, 4])
def test_each_gates_recurrent_block_starts_orthogonal_on_its_own(gates: int) -> None:
    for block in Affine(5, 6, gates).weight_hh.detach().chunk(gates):
        torch.testing.assert_close(block @ block.T, torch.eye(6), rtol=0, atol=1e-5)


def test_the_blocks_differ_from_one_another() -> None:
    first, second = Affine(5, 6, 2).weight_hh.detach().chunk(2)
    assert not torch.allclose(first, second)


def test_each_gates_input_block_starts_within_glorots_bound() -> None:
    bound = (6 / (30 + 50)) ** 0.5
    for block in Affine(30, 50, 4).weight_ih.detach().chunk(4):
        assert 0.9 * bound < float(block.abs().max()) <= bound


def test_biases_start_at_zero() -> None:
    affine = Affine(5, 6, 4)
    assert torch.equal(affine.bias_ih.detach(), torch.zeros(24))
    assert torch.equal(affine.bias_hh.detach(), torch.zeros(24))


def test_the_parameters_have_torchs_names_and_shapes() -> None:
    ours = {name: p.shape for name, p in Affine(5, 6, 4).named_parameters()}
    theirs = {name: p.shape for name, p in nn.LSTMCell(5, 6).named_parameters()}
    assert ours == theirs
    assert set(Affine(5, 6, 4, bias=False).state_dict()) == {"weight_ih", "weight_hh"}


def test_the_affine_map_is_the_sum_of_its_two_halves() -> None:
    affine = Affine(5, 6, 2, state_size=3).double()
    for parameter in affine.parameters():
        nn.init.normal_(parameter)
    x, h = torch.randn(4, 5, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    wanted = x @ affine.weight_ih.T + h @ affine.weight_hh.T + affine.bias_ih + affine.bias_hh
    torch.testing.assert_close(affine(x, h), wanted, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(affine.of_input(x) + affine.of_state(h), affine(x, h))


def test_the_output_has_the_first_states_size_unless_it_is_given() -> None:
    assert Cell(3, {"h": 4, "c": 5}).output_size == 4
    assert Cell(3, {"h": 4, "c": 5}, output_size=2).output_size == 2


def test_a_cell_without_state_is_refused() -> None:
    with pytest.raises(ArgumentError, match="state is empty"):
        Cell(3, {})


@pytest.mark.parametrize(
    ("size", "kind"),
    [
        (0, ArgumentError),
        (-2, ArgumentError),
        (1.5, ArgumentTypeError),
        ("3", ArgumentTypeError),
        (True, ArgumentTypeError),
        (None, ArgumentTypeError),
    ],
)
def test_a_size_that_is_no_whole_number_above_zero_is_refused(
    size: object, kind: type[RecurraError]
) -> None:
    with pytest.raises(kind, match=f"width must be .*, got {size!r}"):
        check_size("width", size)
    with pytest.raises(kind, match="input_size"):
        Cell(size, {"h": 4})
    with pytest.raises(kind, match="the size of state 'c'"):
        Cell(3, {"h": 4, "c": size})
    with pytest.raises(kind, match="hidden_size"):
        Affine(3, size)
    if size is not None:
        with pytest.raises(kind, match="output_size"):
            Cell(3, {"h": 4}, output_size=size)


def test_errors_are_also_the_built_in_errors_they_stand_for() -> None:
    with pytest.raises(ValueError, match="input_size must be at least 1, got 0"):
        Cell(0, {"h": 1})
    with pytest.raises(TypeError, match=r"input_size must be a whole number, got 1\.0"):
        Cell(1.0, {"h": 1})


def test_a_bound_copy_computes_with_the_tensors_given_and_leaves_the_module_alone() -> None:
    module = nn.Sequential(Affine(2, 3), nn.Linear(3, 2))
    other = nn.Sequential(Affine(2, 3), nn.Linear(3, 2))
    x, h = torch.randn(4, 2), torch.randn(4, 3)
    before = [p.detach().clone() for p in module.parameters()]
    bound = bind(module, dict(other.named_parameters()))
    assert torch.equal(bound[1](bound[0](x, h)), other[1](other[0](x, h)))
    assert all(map(torch.equal, module.parameters(), before))
    assert [id(p) for p in bound.parameters()] == [id(p) for p in other.parameters()]


def test_a_bound_copy_keeps_absent_biases_absent() -> None:
    module = Affine(2, 3, bias=False)
    assert bind(module, dict(module.named_parameters())).bias_ih is None
