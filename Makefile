# `make demo` and `make test` set up everything they need in .venv, then run.
# A second run finds the set-up done and starts at once.
#   make PYTHON=/path/to/python demo      another interpreter (3.11 or newer)
#   make PIP_OPTIONS="--index-url URL"    another place to install from
#   make RECURRA_NATIVE=0 demo            without the native core

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP_OPTIONS ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NATIVE := $(VENV)/.native
SOURCES := CMakeLists.txt $(wildcard native/src/* native/bind/*)
INSTALL := $(BIN)/python -m pip install $(PIP_OPTIONS)
# The project itself: what it is built with is in the environment already, and so is the last build.
EDITABLE := $(INSTALL) --no-deps --no-build-isolation -C build-dir=$(VENV)/build -e .
# CMake and Ninja, where the machine has none.
install_missing = needs=$$($(1) -c "from scikit_build_core import build; \
	print(*build.get_requires_for_build_editable())"); \
	test -z "$$needs" || $(1) -m pip install --quiet $(PIP_OPTIONS) $$needs || true
SANITIZED := $(VENV)/sanitized
SANITIZE = cmake -S . -DCMAKE_BUILD_TYPE=None -DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python \
	-DCMAKE_CXX_COMPILER=g++
UNDER_SANITIZERS := tests/backends/test_native.py tests/backends/test_native_simd.py \
	tests/backends/test_guard_pages.py tests/backends/test_malformed.py
WORKERS ?= 2
PEERS := .venv-peers
PEERS_INSTALL := $(PEERS)/bin/python -m pip install $(PIP_OPTIONS)

.PHONY: demo test fuzz test-estimators test-fallback test-sanitized lint types native bench bench-peers \
	bench-foreign bench-names bench-learning bench-tasks bench-serve bench-endless bench-reliability \
	walkthroughs browser clean help

help:
	@echo "make demo           train the name generator (first time) and print names"
	@echo "make test           every check: lint, types, tests"
	@echo "make fuzz           random cells, changes and calls beside the loop: MINUTES=5 SEED=1"
	@echo "make test-estimators scikit-learn's checks of every estimator with all its defaults"
	@echo "make test-fallback  install where no compiler works, and test that"
	@echo "make test-sanitized run the core under the sanitizers of addresses, undefined and threads"
	@echo "make native         build the native core, showing how it goes"
	@echo "make bench          the engine's figures beside torch's"
	@echo "make bench-peers    the same beside torch.compile, JAX and onnxruntime too"
	@echo "make bench-foreign  cells from the literature, each beside its own loop"
	@echo "make bench-names    the figures the README quotes for the name generator"
	@echo "make bench-learning which cells learn to remember, with and without each remedy"
	@echo "make bench-tasks    every task's score beside its baseline"
	@echo "make bench-serve    the server's speed beside a plain one, hostile and too many clients"
	@echo "make bench-endless  training on 2 GB of text in memory that does not grow"
	@echo "make bench-reliability  trainings and savings that are killed, models that are damaged"
	@echo "make walkthroughs   run every notebook and store its outputs"
	@echo "make clean          remove the environments and caches"

# RECURRA_NATIVE=0: the core is $(NATIVE)'s business, so that it is built once.
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Recurra needs Python 3.11 or newer: make PYTHON=/path/to/it"; exit 1; }
	@echo "Setting up $(VENV) (once, a minute or two) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(INSTALL) --quiet --upgrade "pip>=25.1"
	@$(INSTALL) --quiet -c constraints.txt torch numpy
	@$(INSTALL) --quiet --group build
	@RECURRA_NATIVE=0 $(INSTALL) --quiet --no-build-isolation -c constraints.txt -e ".[all]" --group dev
	@touch $@

# Without the core everything still works.
$(NATIVE): $(READY) $(SOURCES)
	@echo "Building the native core ..."
	@$(call install_missing,$(BIN)/python)
	@$(EDITABLE) --quiet || { test -z "$$RECURRA_NATIVE" && RECURRA_NATIVE=0 $(EDITABLE) --quiet; }
	@$(BIN)/python -c "import recurra._core" 2>/dev/null || \
		echo "There is no native core: Recurra runs on torch alone. 'make native' shows why."
	@touch $@

native: $(READY)
	@RECURRA_NATIVE=1 $(EDITABLE) --verbose
	@touch $(NATIVE)

demo: $(NATIVE)
	@$(BIN)/recurra names

test: lint types $(NATIVE) browser
	@$(BIN)/python -m pytest -n $(WORKERS)

# For the tests of the server's page, which are skipped without one. Only where nobody else uses the
# machine is a package put on it.
browser:
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null \
		|| { test -n "$$CI" \
		&& command -v apt-get >/dev/null && test "$$(id -u)" = 0 && echo "Installing a browser ..." \
		&& apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends chromium >/dev/null; } \
		|| echo "There is no Chromium here: the tests of the page are skipped."

# Random cells, changed and called at random, native beside the loop. SEED= repeats a run.
MINUTES ?= 5
fuzz: $(NATIVE)
	@PYTHONPATH=tests $(BIN)/python -m fuzz --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

test-estimators: $(NATIVE)
	@SCIPY_ARRAY_API=1 $(BIN)/python -m pytest -n $(WORKERS) -m slow tests/tasks/test_check_estimator.py

test-fallback: $(NATIVE)
	@$(BIN)/python -m pytest -m slow tests/test_native_build.py

# With GCC. Leaks are the interpreter's own; the core's memory is watched by a test.
test-sanitized: $(NATIVE)
	@$(SANITIZE) -B $(SANITIZED)/threads -DRECURRA_OWN_THREADS=ON \
		-DCMAKE_CXX_FLAGS="-O1 -g -fsanitize=thread" >/dev/null
	@cmake --build $(SANITIZED)/threads --target threads_test
	@TSAN_OPTIONS=halt_on_error=1 $(SANITIZED)/threads/threads_test
	@$(SANITIZE) -B $(SANITIZED)/memory -DCMAKE_CXX_FLAGS="-O1 -g1 -fno-omit-frame-pointer \
		-fsanitize=address,undefined -fno-sanitize-recover=undefined" >/dev/null
	@cmake --build $(SANITIZED)/memory --target _core
	@ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
		LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libubsan.so)" \
		PYTHONPATH=native/tests/sanitized \
		RECURRA_SANITIZED="$$(ls $(CURDIR)/$(SANITIZED)/memory/_core.*.so)" \
		$(BIN)/python -m pytest -p no:cacheprovider $(UNDER_SANITIZERS)

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)
	@$(BIN)/mypy

# Every contestant has OpenMP's own waiting policy, or the one that the environment sets.
bench: $(NATIVE)
	@$(BIN)/python benchmarks/engine

# Up to hours, with torch.compile's time limit of 300 s for each cell and shape.
bench-peers: $(PEERS)/.ready
	@$(PEERS)/bin/python benchmarks/engine --peers

$(PEERS)/.ready: pyproject.toml constraints.txt $(SOURCES)
	@echo "Setting up $(PEERS) ..."
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@$(PEERS_INSTALL) --quiet --upgrade "pip>=25.1"
	@$(PEERS_INSTALL) --quiet -c constraints.txt torch numpy
	@$(PEERS_INSTALL) --quiet --group build --group peers
	@$(call install_missing,$(PEERS)/bin/python)
	@$(PEERS_INSTALL) --quiet --no-deps --no-build-isolation -C build-dir=$(PEERS)/build -e .
	@touch $@

bench-foreign: $(NATIVE)
	@$(BIN)/python benchmarks/engine/foreign.py --output benchmarks/results/engine.md

bench-names: $(NATIVE)
	@GOMP_SPINCOUNT=1000 $(BIN)/python benchmarks/names.py

bench-learning: $(NATIVE)
	@$(BIN)/python benchmarks/learning

bench-tasks: $(NATIVE)
	@GOMP_SPINCOUNT=1000 $(BIN)/python benchmarks/tasks

bench-serve: $(NATIVE)
	@$(BIN)/python benchmarks/serve/load.py
	@$(BIN)/python benchmarks/serve/hostile.py
	@$(BIN)/python benchmarks/serve/overload.py

bench-endless: $(NATIVE)
	@$(BIN)/python benchmarks/endless.py

bench-reliability: $(NATIVE)
	@$(BIN)/python benchmarks/reliability/kills.py
	@$(BIN)/python benchmarks/reliability/saving.py
	@$(BIN)/python benchmarks/reliability/model_kills.py
	@$(BIN)/python benchmarks/reliability/model_kills.py --two-renames
	@$(BIN)/python benchmarks/reliability/mutations.py

walkthroughs: $(NATIVE)
	@$(BIN)/python walkthroughs/run.py

clean:
	rm -rf $(VENV) $(PEERS) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
