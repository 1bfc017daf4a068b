"""The norm band by layer and by parameter, on sparse and on complex gradients."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from recurra import Recurrent, clip_grad_norm_band_
from recurra.errors import ArgumentError, ArgumentTypeError
from recurra.training import Trainer


def model_with_gradients(scales: dict[str, float]) -> nn.Module:
    model = nn.ModuleDict({name: nn.Linear(3, 2) for name in scales})
    for name, scale in scales.items():
        for p in model[name].parameters():
            p.grad = torch.randn_like(p)
        total = math.sqrt(sum(float(p.grad.square().sum()) for p in model[name].parameters()))
        for p in model[name].parameters():
            p.grad *= scale / total
    return model


def norm_of(parameters: list[Tensor]) -> float:
    return math.sqrt(sum(float(p.grad.abs().square().sum()) for p in parameters))


def test_by_layer_each_layers_own_norm_is_brought_into_the_band() -> None:
    model = model_with_gradients({"short": 0.01, "right": 1.0, "long": 50.0})
    before = [p.grad.clone() for p in model["right"].parameters()]
    total = clip_grad_norm_band_(model, 0.5, 2.0, by="layer")
    assert float(total) == pytest.approx(math.sqrt(0.01**2 + 1 + 50**2), rel=1e-5)
    norms = {name: norm_of(list(layer.parameters())) for name, layer in model.items()}
    assert norms == pytest.approx({"short": 0.5, "right": 1.0, "long": 2.0}, rel=1e-5)
    assert all(
        torch.equal(p.grad, b) for p, b in zip(model["right"].parameters(), before, strict=True)
    )


def test_by_parameter_each_tensor_is_by_itself() -> None:
    model = model_with_gradients({"a": 8.0, "b": 9.0})
    clip_grad_norm_band_(model.parameters(), 0.0, 1.0, by="parameter")
    assert [norm_of([p]) for p in model.parameters()] == pytest.approx([1.0] * 4, rel=1e-5)


def test_weights_that_layers_share_are_scaled_once() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    model[0].weight.grad = torch.full((2, 2), 4.0)
    clip_grad_norm_band_(model, 0.0, 2.0, by="layer")
    assert norm_of([model[0].weight]) == pytest.approx(2.0)


@pytest.mark.parametrize("by", ["layer", "parameter"])
def test_one_group_that_is_not_finite_leaves_every_group_as_it_was(by: str) -> None:
    model = model_with_gradients({"first": 9.0, "second": 9.0})
    model["second"].weight.grad[0, 0] = math.nan
    before = [p.grad.clone() for p in model.parameters()]
    with pytest.raises(ArgumentError, match=r"the norm of 'second.* is nan"):
        clip_grad_norm_band_(model, 0.0, 1.0, by=by)
    for p, b in zip(model.parameters(), before, strict=True):
        assert torch.equal(p.grad.nan_to_num(7), b.nan_to_num(7))
    clip_grad_norm_band_(model, 0.0, 1.0, by=by, error_if_nonfinite=False)
    assert norm_of(list(model["first"].parameters())) < 9


@pytest.mark.parametrize("U", [0.5, 100.0])
def test_a_sparse_gradient_is_as_long_as_the_dense_one_it_stands_for(U: float) -> None:
    ids = torch.tensor([1, 2, 2, 2, 7])
    found = []
    for sparse in (False, True):
        torch.manual_seed(0)
        table, other = nn.Embedding(9, 3, sparse=sparse), nn.Parameter(torch.randn(4))
        ((table(ids) ** 3).sum() + (other**2).sum()).backward()
        total = clip_grad_norm_band_([table.weight, other], 3.0 if U > 3 else 0.1, U)
        found.append((total, table.weight.grad.to_dense(), other.grad))
    torch.testing.assert_close(found[1], found[0])


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("scale", [1.0, 1e30])
def test_a_complex_gradient_counts_both_its_parts(dtype: torch.dtype, scale: float) -> None:
    p = nn.Parameter(torch.zeros(2, dtype=dtype))
    p.grad = torch.tensor([3 + 4j, 12j], dtype=dtype) * scale
    assert float(clip_grad_norm_band_(p, 0.0, 1.0)) == pytest.approx(13 * scale, rel=1e-5)
    torch.testing.assert_close(p.grad, torch.tensor([3 + 4j, 12j], dtype=dtype) / 13)


def test_a_way_that_is_none_is_refused() -> None:
    layer = Recurrent("gru", 2, 3)
    with pytest.raises(ArgumentError, match=r"by must be one of 'total', .* got 'row'"):
        clip_grad_norm_band_(layer, 0.0, 1.0, by="row")
    with pytest.raises(ArgumentError, match="by='layer' needs the module itself"):
        clip_grad_norm_band_(layer.parameters(), 0.0, 1.0, by="layer")


@pytest.mark.parametrize("clip_by", ["total", "layer"])
def test_training_in_a_band_that_is_none_is_refused(clip_by: str) -> None:
    model = nn.Linear(1, 1)

    def loss(model: nn.Module, batch: float) -> tuple[Tensor, float]:
        return model(torch.full((1, 1), batch)).sum(), 1.0

    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    trainer = Trainer(model, loss, optimizer, clip=(2.0, 1.0), clip_by=clip_by)
    with pytest.raises(ArgumentError, match=r"got L=2\.0, U=1\.0"):
        trainer.train_step(1.0)


def test_a_module_without_gradients_has_norm_zero() -> None:
    for by in ("total", "layer", "parameter"):
        assert float(clip_grad_norm_band_(Recurrent("gru", 2, 3), 0.0, 1.0, by=by)) == 0


def test_the_history_counts_how_often_each_layer_met_each_edge() -> None:
    model = nn.ModuleDict({"a": nn.Linear(1, 1, bias=False), "b": nn.Linear(1, 1, bias=False)})

    def loss(model: nn.ModuleDict, batch: float) -> tuple[Tensor, float]:
        weights = model["a"].weight.sum() * batch, model["b"].weight.sum() * 1.5
        return weights[0] + weights[1], 1.0

    trainer = Trainer(
        model, loss, torch.optim.SGD(model.parameters(), 0.0), clip=(1.0, 2.0), clip_by="layer"
    )
    history = trainer.fit([0.5, 4.0, 8.0, 1.25], epochs=1)
    assert history.group_norms == {"a": [0.5, 4.0, 8.0, 1.25], "b": [1.5] * 4}
    assert history.clipped_by_group() == {"a": (0.25, 0.5), "b": (0.0, 0.0)}
    assert history.clipped() == (1 / 8, 2 / 8)
    assert type(history).from_dict(history.to_dict()) == history


def test_a_parameter_that_is_there_twice_counts_once() -> None:
    for by in ("total", "parameter"):
        weight, other = nn.Parameter(torch.zeros(4)), nn.Parameter(torch.zeros(4))
        weight.grad = torch.full((4,), 10.0)
        norm = clip_grad_norm_band_([weight, other, weight], 1, 2, by=by)
        assert float(norm) == 20
        assert torch.equal(weight.grad, torch.full((4,), 1.0))


def test_tied_weights_of_chained_modules_count_once() -> None:
    encoder, decoder = nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)
    decoder.weight = encoder.weight
    encoder.weight.grad = torch.ones(5, 4)
    norm = clip_grad_norm_band_(itertools.chain(encoder.parameters(), decoder.parameters()), 0, 1)
    assert float(norm) == pytest.approx(20**0.5)
    assert float(encoder.weight.grad.norm()) == pytest.approx(1)


def test_a_gradient_that_two_parameters_share_counts_once() -> None:
    a, b = nn.Parameter(torch.zeros(4)), nn.Parameter(torch.zeros(4))
    a.grad = b.grad = torch.full((4,), 10.0)
    assert float(clip_grad_norm_band_([a, b], 0, 2)) == 20
    assert a.grad is b.grad
    assert torch.equal(a.grad, torch.full((4,), 1.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.complex64])
def test_a_gradient_that_is_an_expanded_view(dtype: torch.dtype) -> None:
    weight = nn.Parameter(torch.zeros(3, 4, dtype=dtype))
    weight.grad = torch.tensor(5.0, dtype=dtype).expand(3, 4)
    clip_grad_norm_band_(weight, 0, 12**0.5)
    torch.testing.assert_close(weight.grad, torch.ones(3, 4, dtype=dtype))


def test_a_gradient_with_gaps_stays_the_tensor_it_is() -> None:
    room = torch.full((4, 6), 7.0)
    weight = nn.Parameter(torch.zeros(4, 3))
    weight.grad = given = room[:, ::2]
    clip_grad_norm_band_(weight, 0, 12**0.5)
    assert weight.grad is given
    torch.testing.assert_close(room[:, ::2], torch.ones(4, 3))
    assert torch.equal(room[:, 1::2], torch.full((4, 3), 7.0))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (lambda m: m.named_parameters(), r"\.parameters\(\), not \.named_parameters\(\)"),
        (lambda m: dict(m.named_parameters()), "got str 'weight' at 0"),
        (lambda m: [m.weight, None], "got NoneType None at 1"),
        (lambda m: None, "got None"),
        (lambda m: "weights", "got str 'w' at 0"),
        (lambda m: [m], "got Linear"),
    ],
)
def test_what_are_no_parameters_is_said(params: Any, said: str) -> None:
    with pytest.raises(ArgumentTypeError, match=said):
        clip_grad_norm_band_(params(nn.Linear(2, 2)), 0, 1)


def test_gradients_that_cannot_be_scaled_are_said() -> None:
    whole = torch.zeros(3, dtype=torch.int64)
    whole.grad = torch.ones(3, dtype=torch.int64)
    with pytest.raises(ArgumentTypeError, match=r"torch\.int64: whole numbers"):
        clip_grad_norm_band_([whole], 0, 1)
    away = nn.Parameter(torch.zeros(3, device="meta"))
    away.grad = torch.ones(3, device="meta")
    with pytest.raises(ArgumentError, match="on meta"):
        clip_grad_norm_band_([away], 0, 1)


@pytest.mark.parametrize("bound", ["1", None, [1], True])
def test_a_band_that_is_no_number_is_said(bound: Any) -> None:
    weight = nn.Parameter(torch.zeros(3))
    weight.grad = torch.ones(3)
    with pytest.raises(ArgumentTypeError, match="must be a number, got"):
        clip_grad_norm_band_(weight, 0, bound)


def test_generators_and_parameters_without_gradients_are_taken() -> None:
    weights = [nn.Parameter(torch.zeros(4)) for _ in range(3)]
    weights[1].grad = torch.full((4,), 4.0)
    assert float(clip_grad_norm_band_((w for w in weights), 0, 2)) == 8
    assert torch.equal(weights[1].grad, torch.ones(4))
    assert float(clip_grad_norm_band_([], 0, 1)) == 0
    assert float(clip_grad_norm_band_((w for w in weights[:1]), 1, 2)) == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(dtype: torch.dtype) -> None:
    weight = nn.Parameter(torch.zeros(4, dtype=dtype))
    weight.grad = torch.full((4,), 60000.0, dtype=dtype)
    clip_grad_norm_band_(weight, 0, 1)
    assert torch.equal(weight.grad, torch.full((4,), 0.5, dtype=dtype))
    weight.grad = torch.full((4,), 2.0**-24 if dtype == torch.float16 else 1e-38, dtype=dtype)
    clip_grad_norm_band_(weight, 1, 2)
    assert torch.equal(weight.grad, torch.full((4,), 0.5, dtype=dtype))


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch has no distributed part")
def test_gradients_spread_over_processes_are_measured_whole() -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    torch.distributed.init_process_group(
        "gloo", store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    try:
        mesh = init_device_mesh("cpu", (1,))
        weight = nn.Parameter(distribute_tensor(torch.zeros(4), mesh, [Shard(0)]))
        weight.grad = distribute_tensor(torch.full((4,), 10.0), mesh, [Shard(0)])
        plain = nn.Parameter(torch.zeros(4))
        plain.grad = torch.full((4,), 10.0)
        assert float(clip_grad_norm_band_([weight], 0, 2)) == 20
        assert torch.equal(weight.grad.full_tensor(), torch.ones(4))
        weight.grad.mul_(10)
        norm = clip_grad_norm_band_([weight, plain], 0, 2**0.5 * 2)
        assert float(norm) == pytest.approx(20 * 2**0.5)
        torch.testing.assert_close(weight.grad.full_tensor(), torch.ones(4))
        torch.testing.assert_close(plain.grad, torch.ones(4))
    finally:
        torch.distributed.destroy_process_group()
