"""A linear layer in the precision of its input."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def linear_like(layer: nn.Linear, x: Tensor) -> Tensor:
    """Return the layer's product with x, computed in x's dtype.

    Predictions are computed in float64 from there on, so that a row is the same in any batch. Under
    autocast it is the weights' dtype: what a loss is made of keeps its precision.
    """
    if not torch._C._is_any_autocast_enabled():
        bias = None if layer.bias is None else layer.bias.to(x)
        return F.linear(x, layer.weight.to(x), bias)
    with torch.autocast(x.device.type, enabled=False):
        return linear_like(layer, x if x.dtype == torch.float64 else x.to(layer.weight.dtype))
