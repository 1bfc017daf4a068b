"""Random cells, as the source of a class: statements, ways of reading, one to three states."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from fuzz.expressions import Grammar, Node, atom
from fuzz.reads import FUNCTIONS, NUMBERS, RECORDS, TENSORS, Record, Way


@dataclass
class Statement:
    """Lines of `forward` that give a name to rows; {0}, {1}, ... are its expressions."""

    lines: str
    children: list[Node]
    init: list[str] = field(default_factory=list)
    top: list[str] = field(default_factory=list)
    kind: str = ""


@dataclass(frozen=True)
class Change:
    """What may be done to a cell between two calls; {v} is a new number."""

    kind: str
    template: str

    def statement(self, random: Random) -> str:
        text = self.template.replace("{v}", number(random))
        return f"for m in users(layer): {text}" if re.search(r"\bm\b", text) else text


@dataclass
class CellSource:
    """A cell: its form, sizes, statements, and what it returns."""

    form: str  # "cell", "tensor", "torch", "recurra" or "pair"
    input_size: int
    states: dict[str, int]
    entered: bool  # whether x goes through a Linear first, so that any input size will do
    statements: list[Statement]
    output: Node
    new: list[Node]
    changes: list[Change]
    records: list[tuple[str, str, str]] = field(default_factory=list)  # kind, how to read and clear

    def nodes(self) -> list[Node]:
        roots = [*(c for s in self.statements for c in s.children), self.output, *self.new]
        return [node for root in roots for node in root.nodes()]

    def source(self) -> str:
        """Return the lines before the class, and the class."""
        nodes = self.nodes()
        tops = _once(
            [
                *(line for s in self.statements for line in s.top),
                *(line for node in nodes for line in node.top),
            ]
        )
        bodies = _once(line for node in nodes for line in node.body)
        inits = _once(
            [
                *(line for s in self.statements for line in s.init),
                *(line for node in nodes for line in node.init),
            ]
        )
        bases = [b.removeprefix("#base ") for b in bodies if b.startswith("#base ")]
        decorators = [b.removeprefix("#decorator ") for b in bodies if b.startswith("#decorator ")]
        bodies = [b for b in bodies if not b.startswith("#")]
        recurra = self.form == "recurra"
        base = ", ".join([*bases, "recurra.Cell" if recurra else "nn.Module"])
        states = list(self.states)
        lines = [*tops, *(f"@{name}" for name in decorators), f"class UserCell({base}):"]
        sizes = repr(self.states)
        if not recurra:
            lines.append(f"    state_sizes = {sizes}")
        lines += [_indented(body, 4) for body in bodies]
        lines.append("    def __init__(self, input_size, hidden_size):")
        start = f"super().__init__(input_size, {sizes}, {self.output.width})"
        lines.append(f"        {start if recurra else 'super().__init__()'}")
        if self.entered:
            lines.append(f"        self.enter = nn.Linear(input_size, {self.input_size})")
        lines += [f"        {line}" for line in inits]
        packed = self.form in ("torch", "pair") and len(states) > 1
        lines.append(f"    def forward(self, x, {'state' if packed else ', '.join(states)}):")
        if packed:
            lines.append(f"        {', '.join(states)} = state")
        if self.entered:
            lines.append("        x = self.enter(x)")
        for statement in self.statements:
            text = statement.lines.format(*(atom(c.code()) for c in statement.children))
            lines.append(_indented(text, 8))
        new = [node.code() for node in self.new]
        given = f"({', '.join(new)},)"
        if self.form == "torch":
            given = new[0] if len(new) == 1 else given
            lines.append(f"        return {given}")
        else:
            given = new[0] if self.form == "tensor" else given
            lines.append(f"        return {self.output.code()}, {given}")
        return "\n".join(lines)


def draw_cell(random: Random, wanted: Callable[[str], bool], entered: bool) -> CellSource:
    """Draw a cell; `wanted` says of a kind's name whether it may be drawn."""
    size = lambda: random.choice((1, 2, 3, 3, 4, 5, 6, 7, 8, 9))  # noqa: E731
    count = random.choice((1, 1, 2, 2, 3))
    states = {name: size() for name in "hcs"[:count]}
    forms = ["cell", "cell", "torch", "recurra", *(["tensor"] if count == 1 else [])]
    forms += ["pair"] if count > 1 and wanted("pair form") else []
    form = random.choice(forms)
    exotic = 0.25 if wanted("operations that are not traced") and random.random() < 0.12 else 0.0
    grammar = Grammar(random, {"x": size(), **states}, exotic)
    input_size = grammar.variables["x"]
    count = random.choice((0, 1, 1, 2, 2, 3, 4))
    statements = [_statement(random, grammar, wanted) for _ in range(count)]
    changes: list[Change] = []
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        statement, more = _read(random, grammar, wanted)
        if statement is not None:
            statements.append(statement)
            changes += more
    records = []
    if random.random() < 0.1:
        written = [record for record in RECORDS if wanted(record.name)]
        if written:
            record, k = random.choice(written), grammar.number()
            statements.append(record_statement(record, k, grammar.leaf(grammar.width())))
            records.append((record.name, record.read.replace("{k}", str(k)), record.clear.replace("{k}", str(k))))  # fmt: skip
    new = [_new_state(random, grammar, name, n) for name, n in states.items()]
    # Each new state gets a name, so that the output may be one of them.
    for name, node in zip(states, new, strict=True):
        statements.append(Statement(f"new_{name} = {{0}}", [node]))
        grammar.variables[f"new_{name}"] = node.width
    first = next(iter(states))
    output = Node(f"new_{first}", states[first])
    if form not in ("torch", "pair") and random.random() < 0.3:
        output = grammar.rows(size(), 1)
    return CellSource(
        form, input_size, states, entered, statements, output,
        [Node(f"new_{name}", n) for name, n in states.items()], changes, records,
    )  # fmt: skip


def number(random: Random) -> str:
    """Return a number as text, that is none of those the cells start with."""
    return repr(random.choice((0.1, 0.3, 1.1, 1.25, 1.4, 1.7, 2.0)))


def _new_state(random: Random, grammar: Grammar, name: str, n: int) -> Node:
    new = grammar.rows(n, 2)
    forms = (
        "torch.tanh({0})", f"({name} + torch.tanh({{0}})) / 2", "torch.sigmoid({0})",
        f"torch.lerp({name}, torch.tanh({{0}}), 0.4)", f"(0.8 * {name} + 0.2 * torch.tanh({{0}}))",
        "{0}.clamp(-2, 2)", "F.softsign({0})",
    )  # fmt: skip
    return Node(random.choice(forms), n, [new])


def _statement(random: Random, grammar: Grammar, wanted: Callable[[str], bool]) -> Statement:
    n, k = grammar.width(), grammar.number()
    name = f"v{k}"
    way = random.random()
    if way < 0.55:
        statement = Statement(f"{name} = {{0}}", [grammar.rows(n, 3)])
    elif way < 0.68:
        parts = random.choice((2, 3, 4))
        names = [f"{name}{letter}" for letter in "abcd"[:parts]]
        taken = random.choice((f"chunk({parts}, -1)", f"split({n}, 1)"))
        of = grammar.linear(n * parts, 2)
        grammar.variables |= dict.fromkeys(names, n)
        return Statement(f"{', '.join(names)} = {{0}}.{taken}", [of])
    elif way < 0.78 and wanted("writes in place"):
        return _written(random, grammar, name, n)
    elif way < 0.84:
        inner = grammar.linear_of(Node(name, n), n)
        lines = f"{name} = {{0}}\nfor _ in range({random.choice((1, 2, 3))}):\n    {name} = torch.tanh({{1}})"
        statement = Statement(lines, [grammar.rows(n, 2), inner])
    elif way < 0.9:
        lines = f"def inner{k}(a, b=0.5):\n    return a * b\n{name} = inner{k}({{0}}) + inner{k}({{1}}, b=2.0)"
        statement = Statement(lines, [grammar.rows(n, 1), grammar.rows(n, 1)])
    elif way < 0.94:
        lines = f"with torch.no_grad():\n    {name} = {{0}}"
        statement = Statement(lines, [grammar.rows(n, 2)])
    elif way < 0.97:
        cell = random.choice(("nn.GRUCell", "nn.RNNCell"))
        lines = f"{name} = self.inner{k}({{0}}, {{1}})"
        children = [grammar.rows(grammar.width(), 1), grammar.rows(n, 1)]
        made = f"self.inner{k} = {cell}({children[0].width}, {n})"
        statement = Statement(lines, children, [made])
    else:
        lines = f"{name} = F.linear({{0}}, **dict(weight=self.w{k}, bias=None))"
        child = grammar.rows(grammar.width(), 1)
        init = [f"self.w{k} = nn.Parameter(torch.randn({n}, {child.width}) * 0.5)"]
        statement = Statement(lines, [child], init)
    grammar.variables[name] = n
    return statement


def _written(random: Random, grammar: Grammar, name: str, n: int) -> Statement:
    a = random.randint(0, n - 1)
    first, second = grammar.rows(n, 2), grammar.rows(n, 1)
    part = grammar.rows(n - a, 1)
    start = f"{name} = {{0}} + 0\n"
    forms = (
        (start + f"{name} += {{1}}", second), (start + f"{name} *= {{1}}", second),
        (start + f"{name}[:, {a}:] = {{1}}", part), (start + f"{name}.sigmoid_()", second),
        (start + f"{name}.add_({{1}}, alpha=0.5)", second), (start + f"{name}.clamp_(-0.5, 0.5)", second),
        (start + f"{name}[:, {a}] = 0.3", second), (start + f"{name}.mul_({{1}}).tanh_()", second),
        (f"{name} = x.new_zeros(x.shape[0], {n})\n{name}[:, {a}:] = {{1}}\n{name} = {name} + {{0}}", part),
        (start + f"{name} -= {{1}}\n{name} /= 2", second),
        (start + f"{name}.copy_({{1}})", second),
    )  # fmt: skip
    lines, other = random.choice(forms)
    grammar.variables[name] = n
    return Statement(lines, [first, other])


def _read(
    random: Random, grammar: Grammar, wanted: Callable[[str], bool]
) -> tuple[Statement | None, list[Change]]:
    """Return a statement that reads what can change, and the changes."""
    pool: Sequence[Way] = random.choices((NUMBERS, TENSORS, FUNCTIONS), (5, 2, 2))[0]
    ways = [way for way in pool if wanted(way.name)]
    if not ways:
        return None, []
    way, k, n = random.choice(ways), grammar.number(), grammar.width()
    form = random.choice(NUMBER_FORMS) if pool is NUMBERS else "{} * READ"
    node, changes = read_node(way, k, n, grammar.rows(n, 1), form, number(random))
    grammar.variables[f"r{k}"] = n
    return Statement(f"r{k} = {{0}}", [node]), changes


def record_statement(record: Record, k: int, of: Node) -> Statement:
    """Return the line of `forward` that writes `of` down."""
    line = record.line.replace("{k}", str(k)).replace("{v}", "{0}")
    top = [text.replace("{k}", str(k)) for text in record.top]
    init = [text.replace("{k}", str(k)) for text in record.init]
    return Statement(line, [of], init, top, record.name)


NUMBER_FORMS = (
    "{} * READ", "({} + READ)", "{} / (1 + READ)", "torch.clamp({}, -READ, READ)",
    "(torch.tanh({0}) if READ > 1 else torch.sigmoid({0}))", "({} * READ + (1 - READ) * x[:, :1])",
    "(torch.tanh, torch.sin, torch.sigmoid)[int(READ * 4) % 3]({})", "{}.abs().add(0.2) ** READ",
)  # fmt: skip


def read_node(
    way: Way, k: int, n: int, of: Node, form: str, value: str
) -> tuple[Node, list[Change]]:
    """Return an expression that reads in one way, and the changes of what it reads."""

    def filled(text: str, value: str = value) -> str:
        for mark, real in (("{k}", str(k)), ("{n}", str(n)), ("{v}", value)):
            text = text.replace(mark, real)
        return text

    read = filled(way.read).replace("{{}}", "{}")
    node = Node(
        read if way in FUNCTIONS else form.replace("READ", read), n, [of],
        [filled(t) for t in way.init], [filled(t) for t in way.top],
        [filled(t) for t in way.body], way.name,
    )  # fmt: skip
    return node, [Change(way.name, filled(change, "{v}")) for change in way.changes]


def _once(lines: object) -> list[str]:
    return list(dict.fromkeys(lines))  # type: ignore[call-overload]


def _indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.splitlines())
