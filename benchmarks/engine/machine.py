"""What the figures were measured on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import recurra
from rows import native
from timing import THREADS


def core() -> object | None:
    """Return the native core's module, if it is there."""
    try:
        from recurra import _core
    except ImportError:
        return None
    return _core


def peak() -> list[float]:
    """Return the multiply-adds' peak on the threads in use, in FLOP/s, measured a few times."""
    found = core()
    if not hasattr(found, "measure_peak"):
        return []
    return [1e9 * found.measure_peak(THREADS) for _ in range(3)]


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(x.split(":", 1)[1].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def instructions() -> str:
    found = core()
    return f", {found.simd()} of the core" if hasattr(found, "simd") else ", no native core"


def gigabytes() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "memory not known"
    return f"{size / 2**30:.0f} GiB"


def describe() -> list[str]:
    """Return the machine, the versions and the settings, a line each."""
    found = []
    for name in ("numpy", "jax", "onnxruntime"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    spin = os.environ.get("GOMP_SPINCOUNT")
    policy = "OpenMP's own waiting policy" if spin is None else f"GOMP_SPINCOUNT={spin}"
    return [
        f"{THREADS} threads on {os.cpu_count()} processors ({processor()}{instructions()}), "
        f"{gigabytes()}, {platform.system()} {platform.machine()}.",
        f"Recurra {recurra.__version__} (backend {native()}), torch {torch.__version__}, "
        f"{', '.join(found)}, Python {platform.python_version()}; {policy}, the same for all.",
    ]
