"""Puts the sanitized build in the core's place: on PYTHONPATH, Python runs this when it starts."""

import importlib.util
import os
import sys

spec = importlib.util.spec_from_file_location("recurra._core", os.environ["RECURRA_SANITIZED"])
assert spec is not None
assert spec.loader is not None
core = importlib.util.module_from_spec(spec)
spec.loader.exec_module(core)
sys.modules["recurra._core"] = core
