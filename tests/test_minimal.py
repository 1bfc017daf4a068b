"""The one file to run when only one is run: it imports, and an LSTM learns what torch's does."""

import subprocess
import sys
from importlib.metadata import version

import pytest
import torch
from torch import nn

import recurra


def test_the_public_names_are_there() -> None:
    heavy = {"SequenceGenerator", "load"}  # they bring scikit-learn with them
    assert heavy < set(recurra.__all__)
    for name in set(recurra.__all__) - heavy:
        assert getattr(recurra, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'LTSM'"):
        _ = recurra.LTSM


def test_the_version_is_that_of_the_installed_package() -> None:
    assert recurra.__version__ == version("recurra")


def test_an_lstm_gives_torchs_outputs_and_gradients() -> None:
    theirs = nn.LSTM(3, 4)
    ours = recurra.LSTM(3, 4)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(5, 2, 3)
    results = []
    for layer in (ours, theirs):
        out, (h, c) = layer(x)
        out.square().sum().backward()
        results.append([out, h, c, *(p.grad for p in layer.parameters())])
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-6)


def test_any_cell_is_a_layer() -> None:
    layer = recurra.Recurrent("gru", 3, 4, num_layers=2, bidirectional=True)
    out, (h,) = layer(torch.randn(5, 2, 3), lengths=[5, 2])
    assert out.shape == (5, 2, 8)
    assert h.shape == (4, 2, 4)
    assert torch.equal(out[2:, 1], torch.zeros(3, 8))
    out.sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


def test_a_missing_package_is_named_with_the_extra_that_brings_it() -> None:
    code = (
        "import sys; sys.modules['pydantic'] = None\n"
        "import recurra\n"
        "try: recurra.SequenceGenerator\n"
        "except recurra.errors.MissingDependencyError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "recurra.SequenceGenerator needs the package pydantic" in done.stdout, done.stderr
    assert "recurra[tasks]" in done.stdout
