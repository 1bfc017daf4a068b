"""What is done with a layer, drawn at random as statements of a script."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from fuzz.cells import Change


@dataclass
class Operation:
    """One statement: `template` with the arguments filled in; `kind` is what it is counted as."""

    kind: str
    template: str
    arguments: dict[str, object] = field(default_factory=dict)

    def source(self) -> str:
        return self.template.format(**{k: repr(v) for k, v in self.arguments.items()})


# What an argument may become while a case is made smaller.
SMALLER: dict[str, tuple[object, ...]] = {
    "T": (1, 2), "B": (1, 2), "lengths": (False,), "reset": (False,), "state": (False,),
    "layout": ("plain",), "grad": ("none", "first"), "pieces": ((1,), (1, 1), (0, 0)), "resets": ("",),
    "copies": (False,), "backend": ("native",), "threads": (2,),
}  # fmt: skip

TRANSFORMS = (
    "vmap", "grad", "jvp", "jacobian", "vectorized jacobian", "jacrev", "vjp", "per sample", "functional",
)  # fmt: skip


@dataclass
class Situation:
    """What the drawing of operations knows of the layer."""

    changes: list[Change]
    streams: bool  # whether the layer runs along a stream
    transforms: bool  # whether torch.func takes it
    double: bool
    plain: bool  # whether x, lengths and resets are as Recurrent takes them
    input_size: int
    records: list[tuple[str, str, str]] = field(default_factory=list)
    user: bool = False  # whether the cell is the user's
    drop_in: bool = False


def draw_operations(
    random: Random, now: Situation, wanted: Callable[[str], bool], compiling: float
) -> list[Operation]:
    """Draw what is done, a call first: what changes is to change after a trace was kept."""
    found = [_call(random, now)]
    for k in range(random.choice((1, 2, 3, 4, 6))):
        ways = [(6, _change), (4, lambda r, s, w, k: [_call(r, s)]), (2, _layer_change)]
        ways += [(1, _threads), (1, _nan), (2, _bad)]
        if now.streams:
            ways += [(3, _stream), (1, _bad_stream)]
        ways += [(1, _inference), (1, _global_hook), (1, _bad_layer)]
        if now.records:
            ways += [(8, _recorded)]
        if now.drop_in:
            ways += [(6, _like_torch)]
        else:
            ways += [(1, _option)]
        if now.transforms:
            ways += [(1, _transform)]
        draw = random.choices([way for _, way in ways], [weight for weight, _ in ways])[0]
        found += [o for o in draw(random, now, wanted, k) if wanted(o.kind)]
    if compiling and random.random() < compiling and wanted("compiled"):
        found += _compiled(random, now, wanted)
    if found[-1].kind != "call":
        found.append(_call(random, now))
    return found


def _call(random: Random, now: Situation, between: str = "None") -> Operation:
    flag = lambda p: random.random() < p  # noqa: E731
    grads = ["first"] * 6 + ["none"] * 2 + (["second"] if now.double else [])
    arguments = {
        "T": random.choice((1, 2, 3, 4, 5, 7, 12)), "B": random.choice((1, 2, 3, 5, 8, 9)),
        "seed": random.randrange(1000), "lengths": now.plain and flag(0.35),
        "reset": now.plain and flag(0.25), "state": flag(0.35),
        "layout": random.choice(("plain", "plain", "turned", "part", "expanded")),
        "grad": random.choice(grads), "backend": random.choice(("native", "native", "native", "auto")),
    }  # fmt: skip
    if flag(0.03):
        arguments[random.choice("TB")] = 0
    template = (
        "call(layer, {T}, {B}, seed={seed}, lengths={lengths}, reset={reset}, state={state}, "
        "layout={layout}, grad={grad}, backend={backend}" + (f", between={between})" if between != "None" else ")")
    )  # fmt: skip
    return Operation("call", template, arguments)


def _chosen(random: Random, now: Situation, wanted: Callable[[str], bool]) -> Change | None:
    changes = [c for c in now.changes if wanted(c.kind)]
    return random.choice(changes) if changes else None


def _change(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:  # fmt: skip
    change = _chosen(random, now, wanted)
    if change is None:
        return _layer_change(random, now, wanted, k)
    statement = change.statement(random)
    where = random.random()
    name = f"change_{k}"
    define = f"def {name}():\n    {statement}\n"
    if where < 0.6:
        return [Operation(change.kind, _braced(statement)), _call(random, now)]
    if where < 0.75:
        return [Operation(change.kind, _braced(define) + f"elsewhere({name})"), _call(random, now)]
    call = _call(random, now, name)
    if call.arguments["grad"] == "none":
        call.arguments["grad"] = "first"
    # The values that a backward pass needs of tensors may be changed under it: torch refuses that
    # or not, by the way they are changed. Plain values are what the pass was begun with.
    if "data" in statement or "mul_" in statement or "in_place" in statement or "fill_" in statement or "numpy" in statement or "_()" in statement or "[:]" in statement or "requires_grad" in statement or ("by = " in statement and "self.w" in statement):  # fmt: skip
        return [Operation(change.kind, _braced(statement)), _call(random, now)]
    call.kind = change.kind
    call.template = _braced(define) + call.template
    return [call, _call(random, now)]


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _layer_change(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:  # fmt: skip
    kind, template = random.choice(
        (("train and eval", "layer.train(not layer.training)"), ("train and eval", "layer.eval()"),
         ("optimiser's step", "step(layer, {seed})"), ("optimiser's step", "step(layer, {seed})"),
         ("state dict", "loaded(layer, {seed})"), ("deep copy", "layer = copied(layer)"),
         ("pickle", "layer = pickled(layer)"), ("requires_grad", "frozen(layer, {seed})"),
         ("weights under .data", "for p in layer.parameters(): p.data.mul_(0.7)"),
         ("dtype there and back", "layer.float(); layer.double()"),
         ("float32", "layer.float(); call(layer, 3, 2, seed={seed}, dtype=torch.float32); layer.double()"))
    )  # fmt: skip
    return [Operation(kind, template, {"seed": random.randrange(1000)}), _call(random, now)]


def _threads(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:  # fmt: skip
    arguments = {"T": random.choice((1, 4)), "B": random.choice((1, 3)), "seed": random.randrange(1000), "threads": 3}  # fmt: skip
    template = "together(layer, {T}, {B}, seed={seed}, threads={threads})"
    return [Operation("threads", template, arguments)]


def _nan(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:
    arguments = {"T": random.choice((1, 4)), "B": random.choice((1, 3)), "seed": random.randrange(1000)}  # fmt: skip
    return [Operation("NaN and infinity", "dead(layer, {T}, {B}, seed={seed})", arguments)]


def _transform(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:  # fmt: skip
    by = random.choice(TRANSFORMS)
    arguments = {"T": 2, "B": 2, "seed": random.randrange(1000), "by": by}
    template = "transformed(layer, {T}, {B}, seed={seed}, by={by})"
    return [Operation(f"torch.func {by}", template, arguments)]


def recorded(kind: str, read: str, clear: str, arguments: dict[str, object]) -> Operation:
    """Return a call after which what the cell wrote down is compared."""
    template = "recorded(layer, {T}, {B}, seed={seed}, " + _braced(f"read=lambda: {read}, clear={clear!r}") + ", space=globals())"  # fmt: skip
    return Operation(kind, template, arguments)


def _few(random: Random) -> dict[str, object]:
    return {"T": random.choice((1, 2, 4)), "B": random.choice((1, 3)), "seed": random.randrange(1000)}  # fmt: skip


def _recorded(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:  # fmt: skip
    kind, read, clear = random.choice(now.records)
    return [recorded(kind, read, clear, _few(random))]


def _inference(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:  # fmt: skip
    return [Operation("inference mode", "inference(layer, {T}, {B}, seed={seed})", _few(random))]


def _global_hook(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:  # fmt: skip
    arguments = _few(random) | {"pre": random.random() < 0.5}
    template = "hooked(layer, {T}, {B}, seed={seed}, pre={pre})"
    return [Operation("hook on all modules", template, arguments)]


def _like_torch(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:  # fmt: skip
    arguments = _few(random) | {"form": random.choice(("plain", "packed", "unbatched", "state"))}
    return [Operation("torch.nn beside", "like_torch(layer, {T}, {B}, seed={seed}, form={form})", arguments)]  # fmt: skip


def _option(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:  # fmt: skip
    if not now.transforms or not now.double:
        return []
    changed = random.choice(
        ("layer.truncate = 2", "layer.truncate = None", "layer.clip_state_grad = 0.1",
         "layer.clip_state_grad = None", "layer.batch_first = not layer.batch_first")
    )  # fmt: skip
    call = _call(random, now)
    if call.arguments["grad"] == "second":
        call.arguments["grad"] = "first"
    back = "layer.truncate = layer.clip_state_grad = None"
    other = (
        ""
        if "batch_first" in changed
        else f"layer.truncate = layer.clip_state_grad = None; {changed}"
    )
    return [Operation("layer's option", other or changed), call, Operation("layer's option", back)]


_LAYERS = (
    "Recurrent({c}, 'a', 3)", "Recurrent({c}, 0, 3)", "Recurrent({c}, 2, -1)", "Recurrent({c}, 2, 3, 0)", "Recurrent({c}, 2.5, 3)",
    "Recurrent({c}, True, 3)", "Recurrent({c}, 2, None)", "Recurrent({c}, 2, 3, num_layers='2')", "Recurrent({c}, 2, 3, dropout='x')",
    "Recurrent({c}, 2, 3, dropout=2)", "Recurrent({c}, 2, 3, dropout=float('nan'))", "Recurrent({c}, 2, 3, dropout=None)",
    "Recurrent({c}, 2, 3, checkpoint='yes')", "Recurrent({c}, 2, 3, checkpoint=-1)", "Recurrent({c}, 2, 3, truncate=0)",
    "Recurrent({c}, 2, 3, truncate=1.5)", "Recurrent({c}, 2, 3, truncate=[1])", "Recurrent({c}, 2, 3, clip_state_grad=-1)",
    "Recurrent({c}, 2, 3, clip_state_grad='a')", "Recurrent({c}, 2, 3, clip_state_grad=float('nan'))", "Recurrent({c}, 2, 3, nope=1)",
    "Recurrent(None, 2, 3)", "Recurrent(3, 2, 3)", "Recurrent('nope', 2, 3)", "Recurrent(nn.Linear, 2, 3)", "Recurrent(nn.Linear(2, 3), 2, 3)",
    "Recurrent(nn.Identity, 2, 3)", "Recurrent(nn.Module, 2, 3)", "Recurrent(nn.Module(), 2, 3)", "Recurrent(dict, 2, 3)", "Recurrent(lambda x: x, 2, 3)",
    "Recurrent({c}, 2, 3, state_sizes=3)", "Recurrent({c}, 2, 3, state_sizes=dict())", "Recurrent({c}, 2, 3, state_sizes=dict(h='a'))",
    "Recurrent({c}, 2, 3, state_sizes='h')", "Recurrent({c}, 2, 3, state_sizes=[1])", "Recurrent(nn.Linear, 2, 3, state_sizes=dict(h=3))",
    "Recurrent(nn.Linear, 2, 3, state_sizes=dict(h=(4, 4)))", "Recurrent('gru', 2**40, 3)", "Recurrent({c}, 2, 3, 2**70)",
    "Recurrent(nn.GRUCell, 2, 3, bias='a')", "Recurrent(nn.MultiheadAttention, 4, 2, state_sizes=('h',))",
    "recurra.LSTM('a', 3)", "recurra.LSTM(2, 0)", "recurra.LSTM(2, 3, 0)", "recurra.LSTM(2, 3, dropout=2)", "recurra.LSTM(2, 3, dropout='a')",
    "recurra.LSTM(2, 3, proj_size=-1)", "recurra.LSTM(2, 3, proj_size=3)", "recurra.LSTM(2, 3, proj_size='a')", "recurra.GRU(2, 3, proj_size=1)",
    "recurra.RNN(2, 3, nonlinearity='nope')", "recurra.RNN(2, 3, nonlinearity=3)", "recurra.RNN(2, 3, bidirectional='yes')", "recurra.GRU(2, None)",
    "recurra.GRU(2, 3, batch_first='no')", "recurra.GRU(2, 3, bias=None)", "recurra.GRU(2.5, 3)", "recurra.GRU(True, 3)", "recurra.LSTM(2, 3, 1.5)",
    "recurra.LSTM(2, 3, nope=1)", "recurra.GRU(2, 3, dtype=torch.int64)", "recurra.GRU(2, 3, device='nope')",
)  # fmt: skip


def _bad_layer(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:  # fmt: skip
    cell = "UserCell" if now.user and random.random() < 0.5 else "'gru'"
    made = random.choice(_LAYERS).replace("{c}", cell)
    return [Operation("wrong layer", _braced(f"bad_layer(lambda: {made})"))]


def _stream(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:  # fmt: skip
    pieces = tuple(random.choice((0, 1, 2, 3, 5)) for _ in range(random.choice((2, 3, 4))))
    arguments: dict[str, object] = {
        "B": random.choice((1, 2, 3)), "seed": random.randrange(1000), "pieces": pieces,
        "resets": random.choice(("", "", "all", "list", "index", "mask")), "copies": random.random() < 0.1,
    }  # fmt: skip
    template = "stream(layer, {B}, seed={seed}, pieces={pieces}, reset={resets}, copies={copies}"
    if arguments["resets"] in ("mask", "list", "index") and not wanted("reset of a stream's rows"):
        arguments["resets"] = "all"
    if arguments["copies"] and not wanted("copy of a stream"):
        arguments["copies"] = False
    change = _chosen(random, now, wanted)
    own = change is not None and random.random() < 0.7
    kind = "stream"
    if random.random() < 0.6 and wanted("change under a stream"):
        kind = "change under a stream"
        statement = (
            change.statement(random) if own and change is not None
            else random.choice(("step(layer, 3)", "loaded(layer, 5)", "loaded(layer, 4)",
                                "layer.train(not layer.training)", "step(layer, 1)"))
        )  # fmt: skip
        define = _braced(f"def change_{k}():\n    {statement}\n")
        where = random.randrange(1, len(pieces))
        changes = ", ".join(f"change_{k}" if p == where else "None" for p in range(len(pieces)))
        template = define + template + f", changes=[{changes}]"
    return [Operation(kind, template + ")", arguments)]


def _compiled(random: Random, now: Situation, wanted: Callable[[str], bool]) -> list[Operation]:
    arguments = {"T": 3, "B": 2, "seed": random.randrange(1000)}
    change = _chosen(random, now, wanted)
    define, more = "", ""
    if change is not None and wanted("change under torch.compile"):
        define = _braced(f"def change_c():\n    {change.statement(random)}\n")
        more = ", change=change_c"
    kind = "change under torch.compile" if more else "compiled"
    return [
        Operation(kind, define + "compiled(layer, {T}, {B}, seed={seed}" + more + ")", arguments)
    ]


_X = (
    "None", "3", "'text'", "[1.0, 2.0]", "torch.zeros(3)", "torch.zeros(2, 3, I + 1, dtype=DTYPE)",
    "torch.zeros(2, I, dtype=DTYPE)", "torch.zeros(2, 3, I, 1, dtype=DTYPE)", "torch.zeros(2, 3, I, dtype=torch.int64)",
    "torch.zeros(2, 3, I, dtype=torch.bool)", "torch.zeros(2, 3, I, dtype=torch.complex128)",
    "torch.zeros(2, 3, I, dtype=torch.float16)", "torch.zeros(2, 3, I)", "torch.zeros(2, 3, I, dtype=torch.bfloat16)",
    "torch.zeros(2, 3, I, dtype=DTYPE, device='meta')", "torch.zeros(0, 3, I, dtype=DTYPE)",
    "torch.zeros(2, 0, I, dtype=DTYPE)", "torch.zeros(2, 3, 0, dtype=DTYPE)", "torch.tensor(1.0)",
    "np.zeros((2, 3, I))", "[torch.zeros(3, I, dtype=DTYPE)] * 2", "torch.ones(2, 3, I, dtype=DTYPE).to_sparse()",
    "torch.full((2, 3, I), float('nan'), dtype=DTYPE)", "dict(x=1)", "(torch.zeros(2, 3, I, dtype=DTYPE),)",
    "torch.nested.nested_tensor([torch.zeros(2, I), torch.zeros(3, I)])", "nn.Parameter(torch.zeros(2, 3, I, dtype=DTYPE))",
    "nn.utils.rnn.pack_sequence([torch.zeros(2, I, dtype=DTYPE)])", "object()", "iter([1])", "True", "b'x'",
    "torch.zeros(2, 3, I, dtype=DTYPE).squeeze(0).T", "torch.empty(2, 3, I, dtype=DTYPE)[:, :, :0]",
)  # fmt: skip
_STATES = (
    "3", "'text'", "()", "[]", "(None,)", "(None, None)", "[1.0]", "(torch.zeros(1),)", "torch.zeros(1)",
    "torch.zeros(1, 3, 99, dtype=DTYPE)", "(torch.zeros(1, 3, 99, dtype=DTYPE),) * 2", "dict(h=1)", "iter([])",
    "(torch.zeros(1, 3, 1, dtype=torch.int64),)", "torch.zeros(1, 3, 1, dtype=DTYPE).to_sparse()", "b'x'",
    "np.zeros((1, 3, 1))", "{{1, 2}}", "object()", "lambda: 1", "torch.tensor(1.0)", "True", "float('nan')",
    "([], [])", "((),)", "torch.zeros(0)", "'hc'", "range(2)",
)  # fmt: skip
_LENGTHS = (
    "3", "'text'", "[1, 2]", "[1, 2, 3, 4]", "[-1, 2, 2]", "[3, 2, 1]", "[1.0, 2.0, 2.0]", "[1.5, 2, 2]", "[None] * 3",
    "['1', '2', '2']", "torch.tensor([1, 2, 2.0])", "torch.tensor([[1], [2], [2]])", "torch.tensor(2)", "[]", "()",
    "torch.tensor([True, False, True])", "[True, True, True]", "dict(a=1)", "{{1, 2}}", "np.array([1, 2, 2])", "np.array([1.0, 2, 2])",
    "[2**40, 1, 1]", "[2**70, 1, 1]", "torch.tensor([1, 2, 2], dtype=torch.uint8)", "object()", "iter([1, 2, 2])", "range(3)",
    "(1, 2, 2)", "[torch.tensor(1), 2, 2]", "[[1], [2], [2]]", "float('nan')", "[float('nan'), 1, 1]", "[float('inf'), 1, 1]",
    "torch.tensor([1, 2, 2]).to_sparse()", "torch.tensor([1, 2, 2], device='meta')", "torch.tensor([1j, 2, 2])", "b'abc'", "[1, 2, [2]]",
)  # fmt: skip
_RESETS = (
    "3", "'text'", "True", "torch.zeros(2, 3)", "torch.zeros(2, 3, dtype=torch.int64)", "torch.zeros(3, 2, dtype=torch.bool)",
    "torch.zeros(2, dtype=torch.bool)", "[[True] * 3] * 2", "np.zeros((2, 3), dtype=bool)", "torch.zeros(2, 3, dtype=torch.bool).to_sparse()",
    "torch.zeros(2, 3, dtype=torch.bool, device='meta')", "dict()", "object()", "torch.tensor(True)", "torch.zeros(2, 3, 1, dtype=torch.bool)",
    "torch.zeros(2, 3, dtype=torch.uint8)", "[]", "torch.full((2, 3), float('nan'))",
)  # fmt: skip


def _bad(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:
    good = f"torch.zeros(2, 3, {now.input_size}, dtype=DTYPE)"
    size = str(now.input_size)
    which = random.choice(("x", "state", "lengths", "reset") if now.plain else ("x", "state"))
    if which == "x":
        value = _fit(random.choice(_X), size)
        return [Operation("wrong x", f"bad_call(layer, {value})")]
    values = {"state": _STATES, "lengths": _LENGTHS, "reset": _RESETS}[which]
    name = which if now.plain else "hx"
    value = random.choice(values)
    return [Operation(f"wrong {which}", f"bad_call(layer, {good}, {name}={value})")]


def _fit(value: str, size: str) -> str:
    return value.replace(", I)", f", {size})").replace(", I,", f", {size},").replace("I + 1", f"{size} + 1").replace("(2, I", f"(2, {size}")  # fmt: skip


_USES = (
    "lambda s: s.push(None)", "lambda s: s.push('text')", "lambda s: s.push(torch.zeros(3))", "lambda s: s.push([1.0])",
    "lambda s: s.push(torch.zeros(2, I))", "lambda s: s.push(torch.zeros(2, I, dtype=torch.int64))",
    "lambda s: s.push(torch.zeros(3, 2, I + 1, dtype=DTYPE))", "lambda s: s.push(torch.zeros(0, 2, I, dtype=DTYPE))",
    "lambda s: s.push(torch.zeros(2, I, dtype=DTYPE).to_sparse())", "lambda s: s.push(torch.zeros(2, I, dtype=DTYPE, device='meta'))",
    "lambda s: s.push(np.zeros((2, I)))", "lambda s: s.push(torch.zeros(2, I, dtype=torch.complex128))",
    "lambda s: s.push(torch.zeros(2, I, dtype=DTYPE, requires_grad=True))", "lambda s: s.push(torch.nested.nested_tensor([torch.zeros(2, I)]))",
    "lambda s: s.reset([])", "lambda s: s.reset([5])", "lambda s: s.reset([-3])", "lambda s: s.reset('text')", "lambda s: s.reset(1.5)",
    "lambda s: s.reset(torch.tensor([0.5, 0.5]))", "lambda s: s.reset(torch.tensor([True]))", "lambda s: s.reset([None])",
    "lambda s: s.reset([True, False, True])", "lambda s: s.reset(object())", "lambda s: s.reset(dict())", "lambda s: s.reset([[0], [1]])",
    "lambda s: s.reset(torch.tensor([[True, False]]))", "lambda s: s.reset(['a'])", "lambda s: s.reset(2**70)", "lambda s: s.reset([2**70])",
    "lambda s: s.reset(torch.tensor([0, 1], device='meta'))", "lambda s: s.reset(torch.tensor([0, 1]).to_sparse())", "lambda s: s.reset({{0}})",
    "lambda s: setattr(s, 'state', None)", "lambda s: setattr(s, 'state', 3)", "lambda s: setattr(s, 'state', ())",
    "lambda s: setattr(s, 'state', [torch.zeros(1)])", "lambda s: setattr(s, 'state', 'text')", "lambda s: setattr(s, 'state', object())",
)  # fmt: skip


def _bad_stream(random: Random, now: Situation, wanted: Callable[[str], bool], k: int) -> list[Operation]:  # fmt: skip
    if random.random() < 0.15:
        size = random.choice(
            ("None", "0", "-1", "1.5", "'two'", "True", "[2]", "2**70", "torch.tensor(2)")
        )
        return [Operation("wrong use of a stream", f"bad_stream(layer, lambda s: s.push(None), {size})")]  # fmt: skip
    use = _fit(random.choice(_USES), str(now.input_size)).replace(
        "(2, I)", f"(2, {now.input_size})"
    )
    return [Operation("wrong use of a stream", f"bad_stream(layer, {use})")]
