"""The norm band by layer and by parameter, on sparse and on complex gradients."""

import math

import pytest
import torch
from torch import Tensor, nn

from recurra import Recurrent, clip_grad_norm_band_
from recurra.errors import ArgumentError
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
