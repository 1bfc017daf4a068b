"""Weights in the layout of `torch.nn.RNN`, `LSTM` and `GRU`: their names, shapes and gates."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from recurra.cells.cell import Cell
from recurra.errors import ArgumentError, ExportError, ShapeError
from recurra.export.stack import DROP_INS, Layer, cells_of
from recurra.layers import Recurrent

_MODULES: dict[str, type[nn.RNNBase]] = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "rnn_tanh": nn.RNN,
    "rnn_relu": nn.RNN,
}


def torch_weights(layer: Layer) -> dict[str, Tensor]:
    """Return a layer's weights by the names of torch.nn's `state_dict`: copies.

    Args:
        layer: a drop-in, or a `Recurrent` whose cell is exactly torch.nn's: "lstm" and "gru" in
            their usual forms, "elman" with tanh or relu and no read-out.

    Raises `ExportError` for any other cell: torch.nn would compute something else.
    """
    return {name: tensor.detach().clone() for name, tensor in _named(layer)}


def load_torch_weights(layer: Layer, weights: Mapping[str, Tensor]) -> None:
    """Copy weights with torch.nn's names into a layer.

    Args:
        layer: as `torch_weights` takes it, of the same form as the module they are from.
        weights: such a module's `state_dict()`.

    Raises `ArgumentError` where a name is missing or too many, `ShapeError` where a shape differs;
    the layer then is as it was.
    """
    own = dict(_named(layer))
    missing, unknown = own.keys() - weights.keys(), weights.keys() - own.keys()
    if missing or unknown:
        said = [f"without {', '.join(sorted(missing))}"] * bool(missing)
        said += [f"with {', '.join(sorted(unknown))}, which the layer has not"] * bool(unknown)
        raise ArgumentError(f"the weights are not those of such a layer: {'; '.join(said)}.")
    for name, tensor in own.items():
        check_shape(name, weights[name].shape, tensor.shape)
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name])


def to_torch(layer: Layer) -> nn.RNNBase:
    """Return torch.nn's own module with the layer's weights: the same results without Recurra.

    Raises `ExportError` as `torch_weights` does, and where torch.nn's module could not start as
    the layer does.
    """
    if isinstance(layer, Recurrent) and layer.initial_state is not None:
        raise ExportError("torch.nn has no learned initial state: it starts from zeros.")
    weights = torch_weights(layer)
    cell = cells_of(layer)[0]
    kind, _ = _kernel(cell)
    options: dict[str, object] = {
        "num_layers": layer.num_layers,
        "bias": any(name.startswith("bias") for name in weights),
        "batch_first": layer.batch_first,
        "dropout": layer.dropout,
        "bidirectional": layer.bidirectional,
    }
    if kind == "lstm" and cell.output_size != layer.hidden_size:
        options["proj_size"] = cell.output_size
    if kind.startswith("rnn_"):
        options["nonlinearity"] = kind.removeprefix("rnn_")
    made = _MODULES[kind](layer.input_size, layer.hidden_size, **options)  # type: ignore[arg-type]
    like = next(iter(weights.values()))
    made = made.to(dtype=like.dtype, device=like.device)
    made.load_state_dict(weights)
    return made.train(layer.training)


def check_shape(name: str, got: Sequence[int], wanted: Sequence[int]) -> None:
    """Raise `ShapeError` unless two shapes are the same."""
    if tuple(got) != tuple(wanted):
        raise ShapeError(f"{name} must be of {tuple(wanted)}, got {tuple(got)}.")


def _named(layer: Layer) -> Iterator[tuple[str, Tensor]]:
    """Yield the layer's own weights by torch.nn's names, in its order."""
    if isinstance(layer, DROP_INS):
        yield from layer.named_parameters()
        return
    for k, cell in enumerate(cells_of(layer)):
        _, weights = _kernel(cell)
        biases = ["bias_ih", "bias_hh"] if len(weights) >= 4 else []
        stems = ["weight_ih", "weight_hh", *biases, "weight_hr"][: len(weights)]
        place = f"_l{k // layer.directions}" + "_reverse" * (k % layer.directions)
        yield from zip((stem + place for stem in stems), weights, strict=True)


def _kernel(cell: Cell) -> tuple[str, tuple[Tensor, ...]]:
    found = cell.torch_kernel()
    if found is None:
        raise ExportError(
            f"torch.nn has no cell with the equations of {type(cell).__name__}({cell.extra_repr()})"
            "; those that it has are LSTM, GRU with reset_after, and Elman with tanh or relu."
        )
    return found
