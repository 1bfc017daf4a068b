"""How likely each symbol of a sequence was, after those before it."""

from collections.abc import Sequence
from typing import Any

import torch

from recurra.data.sequences import symbols_of
from recurra.data.vocabulary import END, SPECIAL, START

_OTHERS = 8


def spelt(model: Any, made: Sequence[Any], condition: str | None) -> list[list[dict[str, Any]]]:
    """Return for each sequence its symbols and, if it has one, the end (""): p, and others.

    The others are the likeliest. p is the model's own, whatever the sequences were drawn by;
    symbols that no sequence of the label has are left out, as they are when drawing.
    """
    lexicon = model.lexicon_
    rows = [lexicon.vocabulary.encode(symbols_of(row)) for row in made]
    device = next(model.network_.parameters()).device
    longest = max(map(len, rows))
    tokens = torch.full((longest + 1, len(rows)), END, device=device)
    for b, row in enumerate(rows):
        tokens[: len(row) + 1, b] = torch.tensor([START, *row])
    label = None
    if condition is not None:
        label = torch.full((len(rows),), lexicon.conditions.index(condition), device=device)
    with torch.no_grad():
        logits = model.network_(tokens, label)[0].double()
    barred = torch.tensor(lexicon.never(condition), dtype=torch.long, device=device)
    p = logits.index_fill(-1, barred, -torch.inf).softmax(-1).cpu()
    names = ["", *lexicon.symbols]
    numbers = torch.tensor([END, *range(SPECIAL, SPECIAL + len(lexicon.symbols))])
    p = p[..., numbers]
    best = p.topk(min(_OTHERS + 1, len(names)), -1)
    place = {int(number): k for k, number in enumerate(numbers)}
    ends = [END] if lexicon.endless is None else []
    found = []
    for b, row in enumerate(rows):
        steps = []
        for t, number in enumerate([*row, *ends]):
            own = place[number]
            pairs = zip(best.indices[t, b].tolist(), best.values[t, b].tolist(), strict=True)
            others = [[names[k], q] for k, q in pairs if k != own and q > 0][:_OTHERS]
            steps.append({"symbol": names[own], "p": float(p[t, b, own]), "others": others})
        found.append(steps)
    return found
