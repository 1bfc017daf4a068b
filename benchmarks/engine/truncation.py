"""What `truncate=k` costs beside the whole backward pass, and beside windows run one by one.

    python benchmarks/engine/truncation.py [--quick]

For each k: the forward and backward pass of an LSTM layer, truncated by the core; truncated by the
eager loop; and the construction it stands for, in which each window of k + 1 steps is run again
from its detached state. Their gradients are compared first. All take turns in one run; a number is
a ratio of medians, or milliseconds.
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from recurra import Recurrent, use_backend
from timing import QUICK, Effort, limit_threads, measure, medians, say

T, B, I, H = 100, 32, 64, 128  # noqa: E741 - the axes' names
WHOLE = "whole"


def passes(layer: Recurrent, x: Tensor, dout: Tensor, backend: str) -> Callable[[], list[Tensor]]:
    """Return forward and backward in one call, which returns the gradients."""

    def run() -> list[Tensor]:
        with use_backend(backend):
            out, _ = layer(x)
            return list(torch.autograd.grad(out, list(layer.parameters()), dout))

    return run


def windows(layer: Recurrent, x: Tensor, dout: Tensor, k: int) -> Callable[[], list[Tensor]]:
    """Return the same by its definition: every window, from the state before it, detached."""
    plain = Recurrent("lstm", I, H)
    plain.load_state_dict(layer.state_dict())

    def run() -> list[Tensor]:
        sums = [torch.zeros_like(p) for p in plain.parameters()]
        states = [plain.fresh_state(x, B)]
        with torch.no_grad():
            for t in range(T):
                states.append(plain(x[t : t + 1], states[-1])[1])
        for t in range(T):
            first = max(0, t - k)
            out, _ = plain(x[first : t + 1], states[first])
            found = torch.autograd.grad(out[-1], list(plain.parameters()), dout[t])
            for total, d in zip(sums, found, strict=True):
                total += d
        return sums

    return run


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="tiny, to see that all of it runs")
    quick = parser.parse_args().quick
    limit_threads()
    torch.manual_seed(0)
    effort = QUICK if quick else Effort()
    x, dout = torch.randn(T, B, I), torch.randn(T, B, H)
    print(f"LSTM, B = {B}, T = {T}, I = {I}, H = {H}, {torch.get_num_threads()} threads, float32")
    print("| k | backward of the core, to the whole one | 1 + k/2 | forward + backward, ms |"
          " the loop took | windows one by one took |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    for k in (2,) if quick else (1, 2, 4, 8, 16):
        say(f"k = {k}")
        layer = Recurrent("lstm", I, H, truncate=k)
        whole = Recurrent("lstm", I, H)
        whole.load_state_dict(layer.state_dict())
        runs: dict[str, Callable[[], object]] = {
            WHOLE: passes(whole, x, dout, "native"),
            "core": passes(layer, x, dout, "native"),
            "loop": passes(layer, x, dout, "eager"),
            "windows": windows(layer, x, dout, k),
        }
        wanted = windows(layer, x, dout, k)()
        for backend in ("native", "eager"):
            for a, b in zip(passes(layer, x, dout, backend)(), wanted, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3 * float(b.abs().max()))
        runs["forward"] = partial(whole, x)
        seconds = medians(measure(runs, effort))
        backward = (seconds["core"] - seconds["forward"]) / (seconds[WHOLE] - seconds["forward"])
        print(
            f"| {k} | {backward:.2f} × | {1 + k / 2:.1f} × | {seconds['core'] * 1e3:.1f} | "
            f"{seconds['loop'] / seconds['core']:.1f} × | "
            f"{seconds['windows'] / seconds['core']:.1f} × |",
            flush=True,
        )


if __name__ == "__main__":
    main()
