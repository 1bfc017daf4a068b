"""A case: a cell, a layer over it, what is done with it. Drawn, run, made smaller, printed."""

import copy
import linecache
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import torch

from fuzz import checks
from fuzz.awaited import AWAITED
from fuzz.cells import CellSource, Change, Statement, draw_cell, read_node, record_statement
from fuzz.checks import FindingError, NoCaseError
from fuzz.expressions import Node
from fuzz.operations import SMALLER, Operation, Situation, draw_operations, recorded
from fuzz.reads import Record, Way

HEAD = """\
import sys; sys.path.insert(0, "tests")  # from the root of the repository
from fuzz.checks import *
torch.set_default_dtype(DTYPE)
"""
KINDS = (
    "elman", "gru", "lstm", "peephole_lstm", "layer_norm_lstm", "coupled_lstm", "mgu", "min_gru", "ind_rnn",
    "janet", "co_rnn", "s_lstm", "rhn", "fcn",
)  # fmt: skip


@dataclass
class Case:
    """A script: the cell (None for a layer over one of Recurra's), the layer, the operations."""

    seed: int
    cell: CellSource | None
    layer: str
    options: dict[str, object]
    operations: list[Operation]

    def source(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        lines = [f"# case {self.seed}", *([self.cell.source()] if self.cell else [])]
        lines += [f"torch.manual_seed({self.seed})", f"layer = {self.layer}{options}).double()"]
        lines += [operation.source() for operation in self.operations]
        return "\n".join(lines) + "\n"

    def script(self) -> str:
        return HEAD + self.source()

    def kinds(self) -> list[str]:
        """Return the names of what is in the case."""
        nodes = self.cell.nodes() if self.cell else []
        more = ["checkpoint="] if "checkpoint" in self.options else []
        more += ["pair form"] if self.cell and self.cell.form == "pair" else []
        for operation in self.operations:
            if operation.arguments.get("resets") in ("mask", "list", "index"):
                more.append("reset of a stream's rows")
            if operation.arguments.get("copies"):
                more.append("copy of a stream")
        statements = self.cell.statements if self.cell else []
        more += [s.kind for s in statements if s.kind]
        return [*(n.kind for n in nodes if n.kind), *(o.kind for o in self.operations), *more]


def draw_case(seed: int, every: bool = True, compiling: float = 0.0) -> Case:
    """Draw the case of a seed; without `every`, without the kinds that are awaited."""
    random = Random(seed)

    def wanted(kind: str) -> bool:
        return every or kind not in AWAITED

    if random.random() < 0.12:
        return _ours(random, seed, wanted, compiling)
    layers = random.choices((1, 2), (5, 1))[0]
    both = random.random() < 0.2
    cell = draw_cell(random, wanted, entered=layers > 1 or both)
    size = random.choice((1, 2, 3, 5)) if cell.entered else cell.input_size
    hidden = next(iter(cell.states.values()))
    built = layers == 1 and not both and random.random() < 0.3
    start = f"Recurrent(UserCell({size}, {hidden}), {size}, {hidden}" if built else f"Recurrent(UserCell, {size}, {hidden}"  # fmt: skip
    options = _options(random, layers, both, wanted)
    now = _situation(options, size)
    now.changes, now.records, now.user = cell.changes, cell.records, True
    return Case(seed, cell, start, options, draw_operations(random, now, wanted, compiling))


def case_of_record(record: Record) -> Case:
    """Return the plain case of one way of writing."""
    written = record_statement(record, 1, Node("torch.tanh(x)", 2))
    statements = [written, Statement("h = torch.tanh(x[:, :1] + h)", [])]
    cell = CellSource("cell", 2, {"h": 3}, False, statements, Node("h", 3), [Node("h", 3)], [])
    read, clear = record.read.replace("{k}", "1"), record.clear.replace("{k}", "1")
    operation = recorded(record.name, read, clear, {"T": 2, "B": 2, "seed": 1})
    return Case(0, cell, "Recurrent(UserCell, 2, 3", {}, [operation, operation])


def case_of(way: Way, change: Change) -> Case:
    """Return the plain case of one way of reading: a call, the change, a call."""
    read, _ = read_node(way, 1, 3, Node("x[:, :1].expand(-1, 3)", 3), "{} * READ", "0.5")
    statements = [Statement("r1 = {0}", [read]), Statement("h = torch.tanh(r1 + h)", [])]
    cell = CellSource(
        "cell", 2, {"h": 3}, False, statements, Node("h", 3), [Node("h", 3)], [change]
    )
    calls = [Operation("call", f"call(layer, 2, 2, seed={k})") for k in range(2)]
    changed = Operation(change.kind, change.statement(Random(1)).replace("{", "{{").replace("}", "}}"))  # fmt: skip
    return Case(0, cell, "Recurrent(UserCell, 2, 3", {}, [calls[0], changed, calls[1]])


def _options(
    random: Random, layers: int, both: bool, wanted: Callable[[str], bool]
) -> dict[str, object]:
    options: dict[str, object] = {}
    if layers > 1:
        options["num_layers"] = layers
    if both:
        options["bidirectional"] = True
    rare = {"batch_first": (0.2, True), "learn_initial_state": (0.12, True)}
    options |= {name: value for name, (p, value) in rare.items() if random.random() < p}
    way = random.random()
    if way < 0.05 and wanted("checkpoint="):
        options["checkpoint"] = random.choice((True, 2))
    elif way < 0.1:
        options["truncate"] = random.choice((1, 2, 3))
    elif way < 0.13:
        options["clip_state_grad"] = 0.1
    return options


def _situation(options: dict[str, object], size: int) -> Situation:
    special = {"checkpoint", "truncate", "clip_state_grad"} & set(options)
    return Situation(
        changes=[], streams="bidirectional" not in options, transforms=not special,
        double=not special, plain=True, input_size=size,
    )  # fmt: skip


def _ours(random: Random, seed: int, wanted: Callable[[str], bool], compiling: float) -> Case:
    size, hidden = random.choice((1, 2, 3, 5, 8)), random.choice((1, 2, 3, 4, 7, 9))
    layers, both = random.choices((1, 2), (4, 1))[0], random.random() < 0.25
    if random.random() < 0.4:
        name = random.choice(("RNN", "LSTM", "GRU"))
        options: dict[str, object] = {}
        if layers > 1:
            options["num_layers"] = layers
        if both:
            options["bidirectional"] = True
        if name == "LSTM" and hidden > 1 and random.random() < 0.3:
            options["proj_size"] = hidden - 1
        if random.random() < 0.2:
            options["bias"] = False
        if random.random() < 0.2:
            options["batch_first"] = True
        now = _situation(options, size)
        now.plain, now.streams, now.transforms, now.drop_in = False, False, False, True
        start = f"recurra.{name}({size}, {hidden}"
    else:
        options = _options(random, layers, both, wanted)
        now = _situation(options, size)
        start = f"Recurrent({random.choice(KINDS)!r}, {size}, {hidden}"
    return Case(seed, None, start, options, draw_operations(random, now, wanted, compiling))


# Running.


def run(case: Case) -> FindingError | None:
    """Run a case; return what was found. Raises `NoCaseError` where the script is at fault."""
    return run_source(case.source(), case.seed)


def run_source(source: str, seed: int = 0) -> FindingError | None:
    name = "fuzz_case"
    module = types.ModuleType(name)
    module.__dict__.update({key: getattr(checks, key) for key in checks.__all__})
    sys.modules[name] = module  # where pickle looks for the cell's class
    file = f"<case {seed}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    kept = torch.get_rng_state()
    environment = checks.os.environ.get("FUZZ_BY")
    torch.set_default_dtype(checks.DTYPE)  # what a cell keeps outside of its parameters is so, too
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(source, file, "exec")
            exec(code, module.__dict__)  # the generator wrote it
    except FindingError as finding:
        return finding
    except NoCaseError:
        raise
    except Exception as error:
        if _came_through_recurra(error) and not isinstance(error, checks.RecurraError):
            return FindingError(f"a bare {type(error).__name__}", repr(error))
        raise NoCaseError(repr(error)) from error
    finally:
        torch.set_default_dtype(torch.float32)
        if environment is None:
            checks.os.environ.pop("FUZZ_BY", None)
        linecache.cache.pop(file, None)
        torch.set_rng_state(kept)
    return None


def _came_through_recurra(error: BaseException) -> bool:
    """Return whether an error passed through Recurra and did not begin in the script."""
    files, frame = [], error.__traceback__
    while frame is not None:
        files.append(frame.tb_frame.f_code.co_filename)
        frame = frame.tb_next
    return any("/src/recurra/" in file for file in files) and not files[-1].startswith("<case")


# Making smaller.


def smaller(case: Case, finding: FindingError, seconds: float = 20.0) -> Case:
    """Return a case that finds the same kind of fault with as little as can be."""
    until = time.monotonic() + seconds
    progress = True
    while progress and time.monotonic() < until:
        progress = False
        for candidate in _simplified(case):
            if time.monotonic() > until:
                break
            if (
                len(candidate.source()) >= len(case.source())
                and candidate.operations == case.operations
            ):
                continue
            try:
                found = run(candidate)
            except NoCaseError:
                continue
            if found is not None and found.kind == finding.kind:
                case, progress = candidate, True
                break
    return case


def _simplified(case: Case) -> Iterator[Case]:
    """Yield cases that are simpler in one place."""
    for k in reversed(range(len(case.operations))):
        if len(case.operations) > 1:
            other = copy.deepcopy(case)
            del other.operations[k]
            yield other
    for name in list(case.options):
        other = copy.deepcopy(case)
        del other.options[name]
        yield other
    if case.cell is not None:
        for k in range(len(case.cell.statements)):
            other = copy.deepcopy(case)
            assert other.cell is not None
            del other.cell.statements[k]
            yield other
        yield from _simpler_expressions(case)
        if case.cell.form not in ("cell", "pair"):
            other = copy.deepcopy(case)
            assert other.cell is not None
            other.cell.form = "cell"
            yield other
    for k, operation in enumerate(case.operations):
        for name, value in operation.arguments.items():
            for simple in SMALLER.get(name, ()):
                if value == simple or (
                    name in "TB" and not isinstance(value, bool) and value <= simple
                ):  # type: ignore[operator]
                    break
                other = copy.deepcopy(case)
                other.operations[k].arguments[name] = simple
                yield other


def _simpler_expressions(case: Case) -> Iterator[Case]:
    assert case.cell is not None
    count = len(case.cell.nodes())
    for k in range(count):
        node = case.cell.nodes()[k]
        for other in [child for child in node.children if child.width == node.width]:
            yield _with_node(case, k, copy.deepcopy(other))
        first, n = next(iter(case.cell.states.items()))
        for name, width in (("x", case.cell.input_size), (first, n)):
            text = name if width == node.width else f"{name}[:, :1].expand(-1, {node.width})"
            if len(text) < len(node.code()):
                yield _with_node(case, k, Node(text, node.width))


def _with_node(case: Case, k: int, new: Node) -> Case:
    other = copy.deepcopy(case)
    assert other.cell is not None
    node = other.cell.nodes()[k]
    node.__dict__.update(new.__dict__)
    return other
