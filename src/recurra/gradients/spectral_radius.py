"""The spectral radius of the matrices by which a cell's state acts on itself."""

from operator import attrgetter

import torch
from torch import Tensor

from recurra.cells import IndRNN
from recurra.cells.cell import Affine, Cell

# What cells, ours and torch's, call a weight from state to state.
_MARKS = ("hh", "zh")


def spectral_radii(cell: Cell) -> dict[str, float]:
    """Return the largest |eigenvalue| of each recurrent matrix, by the parameter's name.

    Recurrent is a weight with "hh" (or "zh") in its name, and the u of `IndRNN`. Gates that lie
    one after the other are taken apart: "gates.weight_hh[0]", "gates.weight_hh[1]", ... A vector
    counts as a diagonal matrix, a stack of matrices as a block-diagonal one. Weights that are not
    square (a projection's) are left out.
    """
    radii: dict[str, float] = {}
    for name, parameter in _tensors(cell).items():
        recurrent = "weight" in name and any(mark in name for mark in _MARKS)
        if not recurrent and not (isinstance(cell, IndRNN) and name == "u"):
            continue
        weight = parameter.detach().double().cpu()
        blocks = [torch.diag(weight)] if weight.dim() == 1 else _square_blocks(weight)
        owner = cell.get_submodule(name.rpartition(".")[0])
        if isinstance(owner, Affine) and len(blocks) != owner.gates:
            continue  # a projection's, whose gates are not square
        for k, block in enumerate(blocks):
            key = name if len(blocks) == 1 else f"{name}[{k}]"
            radii[key] = float(torch.linalg.eigvals(block).abs().max())
    return radii


def _tensors(cell: Cell) -> dict[str, Tensor]:
    """Return the cell's weights by name, parametrised ones as the cell computes with them."""
    tensors: dict[str, Tensor] = {}
    for name, parameter in cell.named_parameters():
        before, parametrised, after = name.partition("parametrizations.")
        if parametrised:
            name = before + after.partition(".")[0]
        tensors[name] = attrgetter(name)(cell) if parametrised else parameter
    return tensors


def _square_blocks(weight: Tensor) -> list[Tensor]:
    """Return the gates of (..., G·H, H) or (..., H, G·H) as (..., H, H); none if not square."""
    rows, columns = weight.shape[-2:]
    if rows % columns == 0:
        return list(weight.chunk(rows // columns, -2))
    return list(weight.chunk(columns // rows, -1)) if columns % rows == 0 else []
