"""All that can be recorded: importing this fills the table."""

from recurra.program import (
    trace_activations,
    trace_arithmetic,
    trace_attention,
    trace_composed,
    trace_copies,
    trace_creation,
    trace_features,
    trace_in_place,
    trace_layers,
    trace_logic,
    trace_pairs,
    trace_products,
    trace_reductions,
    trace_selection,
    trace_shapes,
    trace_windows,
)

__all__ = [
    "trace_activations",
    "trace_arithmetic",
    "trace_attention",
    "trace_composed",
    "trace_copies",
    "trace_creation",
    "trace_features",
    "trace_in_place",
    "trace_layers",
    "trace_logic",
    "trace_pairs",
    "trace_products",
    "trace_reductions",
    "trace_selection",
    "trace_shapes",
    "trace_windows",
]
