"""Random expressions over torch, as people write them in recurrent cells, as source text."""

import ast
from dataclasses import dataclass, field
from random import Random

# Without hardsigmoid and celu, whose derivatives torch computes to float32, whatever the dtype is
# (1/6; exp(x/0.7) is off by 6e-9), and without PReLU, whose second derivative at 0 is not its first's.
UNARY = (
    "torch.tanh({})", "torch.sigmoid({})", "torch.relu({})", "F.softplus({})", "F.elu({})",
    "F.gelu({})", "F.silu({})", "torch.sin({})", "torch.cos({})", "torch.exp(-{}.abs())",
    "torch.log1p({}.abs())", "({} ** 2 + 1e-3).sqrt()", "({} * {}).add(0.5).rsqrt()", "{}.abs()",
    "-{}", "{}.neg()", "torch.square({})", "torch.erf({})", "torch.expm1({}.clamp(-2, 2))",
    "(1 + {}.abs()).reciprocal()", "1 / (1 + {} ** 2)", "torch.sign({})", "F.hardtanh({})",
    "F.leaky_relu({}, 0.1)", "F.logsigmoid({})", "F.softsign({})",
    "F.tanhshrink({})", "F.mish({})", "F.selu({})", "F.relu6({})",
    "F.hardswish({})", "torch.log({}.abs() + 0.3)", "{}.sigmoid()", "{}.tanh()", "1 - {}",
    "0.5 * {}", "{} / 3", "2.0 - {}", "{} ** 3", "{}.pow(2)", "torch.clamp({}, -0.5, 0.8)",
    "{}.clamp(min=0.0)", "torch.nan_to_num({})", "F.softshrink({}, 0.2)", "F.threshold({}, 0.1, 0.0)",
    "torch.special.expit({})", "F.gelu({}, approximate='tanh')", "({}.abs() + 0.2).log2()",
    "torch.sinh({}.clamp(-2, 2))", "{}.detach()", "{}.clone()", "{}.contiguous()", "{}.to(x.dtype)",
    "F.dropout({}, 0.0, self.training)", "F.dropout({}, 0.4, False)", "torch.tan({} * 0.3)",
)  # fmt: skip
BINARY = (
    "({} + {})", "({} - {})", "({} * {})", "{} / (1 + {}.abs())", "torch.maximum({}, {})",
    "torch.minimum({}, {})", "torch.where({} > 0, {}, 0.1)", "torch.where({} > {}, x.new_ones(()), -0.3)",
    "torch.lerp({}, {}, 0.3)", "torch.add({}, {}, alpha=0.5)", "{}.sub({}, alpha=2)",
    "torch.mul({}, {})", "torch.logaddexp({}, {})", "{}.masked_fill({} > 0.2, 0.0)",
    "({}.abs() + 0.1) ** {}.clamp(-2, 2)", "torch.stack([{}, {}]).sum(0)",
    "torch.stack([{}, {}], -1).mean(-1)", "torch.max({}, {})", "({} > {}).to(x.dtype)",
)  # fmt: skip
TERNARY = (
    "(torch.sigmoid({0}) * {1} + (1 - torch.sigmoid({0})) * {2})",
    "torch.addcmul({0}, {1}, {2}, value=0.5)",
    "torch.lerp({0}, {1}, torch.sigmoid({2}))",
    "torch.where({0} > 0, {1}, {2})",
    "{0}.clamp({1} - 1, {2}.abs() + 1)",
    "torch.addcdiv({0}, {1}, 1 + {2} ** 2)",
)
# Over the features, to one of them.
TO_ONE = (
    "{}.sum(-1, keepdim=True)", "{}.mean(1, keepdim=True)", "{}.norm(dim=-1, keepdim=True)",
    "{}.amax(-1, keepdim=True)", "{}.logsumexp(-1, keepdim=True)", "({} * {}).sum(-1).unsqueeze(-1)",
    "torch.sum({}, dim=1, keepdim=True)", "{}.pow(2).mean(-1, keepdim=True)",
    "{}.max(-1, keepdim=True).values", "{}.amin(1, keepdim=True)",
)  # fmt: skip
# Over the features, to as many.
ACROSS = (
    "torch.softmax({}, -1)", "F.log_softmax({}, dim=-1)", "{}.cumsum(-1)", "F.normalize({}, dim=-1)",
    "{}.flip(-1)", "torch.roll({}, 1, -1)", "{}.softmax(1) * {}", "({0} - {0}.mean(-1, keepdim=True))",
    "{0} / ({0}.norm(dim=-1, keepdim=True) + 1e-3)", "torch.cumsum({}, 1)",
)  # fmt: skip
# What the tracer may not know: such a cell may run in the loop, and must run right.
EXOTIC_UNARY = (
    "torch.floor({} * 3)", "torch.round({} * 2) / 2", "torch.atan({})", "torch.asinh({})",
    "torch.frac({})", "torch.sinc({})", "torch.fmod({}, 0.7)", "torch.remainder({}, 0.7)",
    "torch.special.i0({})", "torch.deg2rad({})", "torch.logit({}.sigmoid() * 0.8 + 0.1)",
    "{}.sort(-1).values", "torch.topk({}, 1, -1).values.expand_as({})", "{}.cumprod(-1)",
    "F.one_hot({}.argmax(-1), {n}).to(x.dtype)", "torch.fft.rfft({}).abs().sum(-1, keepdim=True).expand(-1, {n})",
    "F.max_pool1d({}.unsqueeze(1), 1).squeeze(1)", "torch.logcumsumexp({}, -1)", "{}.type(x.dtype)",
    "F.conv1d({}.unsqueeze(1), x.new_ones(1, 1, 3), padding=1).squeeze(1)", "{}.median(-1, keepdim=True).values.expand(-1, {n})",
    "torch.diff({}, dim=-1, append={}[:, :1])", "{}.relu_()", "{}.clone().mul_(0.5).add_(0.1)", "{}.tanh_()",
    "torch.diag_embed({}).sum(-1)", "torch.cdist({0}.unsqueeze(1), {0}.unsqueeze(1) + 1).squeeze(1).expand(-1, {n})",
)  # fmt: skip
EXOTIC_BINARY = (
    "torch.atan2({}, {}.abs() + 0.5)", "torch.hypot({}, {})", "torch.fmax({}, {})",
    "F.cosine_similarity({}, {} + 0.3, dim=-1).unsqueeze(-1).expand(-1, {n})",
    "torch.copysign({}, {})", "torch.xlogy({}, {}.abs() + 0.5)",
    "F.scaled_dot_product_attention({0}.unsqueeze(1), {1}.unsqueeze(1), {1}.unsqueeze(1)).squeeze(1)",
    "torch.remainder({}, {}.abs() + 0.5)", "torch.logaddexp2({}, {})",
)  # fmt: skip


def atom(code: str) -> str:
    """Return an expression in brackets, unless it needs none to stand anywhere."""
    kind = type(ast.parse(code, mode="eval").body)
    return code if kind in (ast.Name, ast.Call, ast.Subscript, ast.Attribute) else f"({code})"


@dataclass
class Node:
    """An expression: (B, width) rows. `init` are the lines of the cell's __init__ it needs."""

    template: str
    width: int
    children: list["Node"] = field(default_factory=list)
    init: list[str] = field(default_factory=list)
    top: list[str] = field(default_factory=list)  # lines of the script before the cell
    body: list[str] = field(default_factory=list)  # lines of the cell's class
    kind: str = ""

    def code(self) -> str:
        parts = [atom(child.code()) for child in self.children]
        needed = max(1, self.template.count("{"))
        given = (parts * needed)[: max(needed, len(parts))]
        return self.template.format(*given, n=self.width)

    def nodes(self) -> list["Node"]:
        return [self, *(node for child in self.children for node in child.nodes())]


@dataclass
class Grammar:
    """Draws expressions from variables of known widths."""

    random: Random
    variables: dict[str, int]
    exotic: float = 0.0
    count: int = 0

    def number(self) -> int:
        self.count += 1
        return self.count

    def rows(self, n: int, depth: int) -> Node:
        """Return an expression of n features."""
        if depth <= 0:
            return self.leaf(n)
        if self.random.random() < self.exotic:
            return self.random.choice((self.exotic_unary, self.exotic_binary))(n, depth - 1)
        ways = (
            (5, self.unary), (5, self.binary), (3, self.ternary), (6, self.linear),
            (2, self.parameter), (1, self.normed), (1, self.concatenated), (1, self.reduced),
            (1, self.across), (1, self.viewed), (1, self.outer), (1, self.buffer), (1, self.module),
            (1, self.constant), (1, self.indexed), (1, self.attention),
        )  # fmt: skip
        weights = [weight for weight, _ in ways]
        return self.random.choices([way for _, way in ways], weights)[0](n, depth - 1)

    def leaf(self, n: int) -> Node:
        exact = [name for name, width in self.variables.items() if width == n]
        wider = [name for name, width in self.variables.items() if width > n]
        if exact and (not wider or self.random.random() < 0.7):
            return Node(self.random.choice(exact), n)
        if wider:
            return self.slice(self.random.choice(wider), n)
        name = self.random.choice(list(self.variables))
        if self.random.random() < 0.3:
            return Node(f"{name}[:, :1].expand(-1, {n})", n)
        return self.linear_of(Node(name, self.variables[name]), n)

    def slice(self, name: str, n: int) -> Node:
        width = self.variables[name]
        a = self.random.randint(0, width - n)
        forms = [
            f"{name}[:, {a}:{a + n}]",
            f"{name}.narrow(1, {a}, {n})",
            f"{name}[..., {a}:{a + n}]",
        ]
        if width % n == 0:
            which = self.random.randrange(width // n)
            forms += [
                f"{name}.chunk({width // n}, -1)[{which}]",
                f"torch.split({name}, {n}, dim=1)[{which}]",
                f"{name}[:, {which}::{width // n}]",
                f"{name}.unflatten(1, (-1, {n}))[:, {which}]",
            ]
        return Node(self.random.choice(forms), n)

    def width(self) -> int:
        return self.random.choice((1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9))

    def unary(self, n: int, depth: int) -> Node:
        return Node(self.random.choice(UNARY), n, [self.rows(n, depth)])

    def binary(self, n: int, depth: int) -> Node:
        return Node(self.random.choice(BINARY), n, [self.rows(n, depth), self.rows(n, depth)])

    def ternary(self, n: int, depth: int) -> Node:
        return Node(self.random.choice(TERNARY), n, [self.rows(n, depth) for _ in range(3)])

    def exotic_unary(self, n: int, depth: int) -> Node:
        return Node(self.random.choice(EXOTIC_UNARY), n, [self.rows(n, depth)])

    def exotic_binary(self, n: int, depth: int) -> Node:
        return Node(
            self.random.choice(EXOTIC_BINARY), n, [self.rows(n, depth), self.rows(n, depth)]
        )

    def linear(self, n: int, depth: int) -> Node:
        return self.linear_of(self.rows(self.width(), depth), n)

    def linear_of(self, of: Node, n: int) -> Node:
        k, m = self.number(), of.width
        bias = f"self.b{k} = nn.Parameter(torch.randn({n}) * 0.3)"
        weight = f"self.w{k} = nn.Parameter(torch.randn({n}, {m}) * 0.5)"
        forms = (
            (f"self.l{k}({{}})", [f"self.l{k} = nn.Linear({m}, {n})"]),
            (f"self.l{k}({{}})", [f"self.l{k} = nn.Linear({m}, {n}, bias=False)"]),
            (f"F.linear({{}}, self.w{k}, self.b{k})", [weight, bias]),
            (f"{{}} @ self.w{k}.T", [weight]),
            (f"({{}}.matmul(self.w{k}.t()) + self.b{k})", [weight, bias]),
            (f"torch.addmm(self.b{k}, {{}}, self.w{k}.T)", [weight, bias]),
            (f"torch.einsum('bi,ji->bj', {{}}, self.w{k})", [weight]),
            (f"(self.w{k} @ {{}}.unsqueeze(-1)).squeeze(-1)", [weight]),
        )
        template, init = self.random.choice(forms)
        return Node(template, n, [of], init)

    def parameter(self, n: int, depth: int) -> Node:
        k = self.number()
        shape = self.random.choice((f"{n}", "1", f"1, {n}", ""))
        draw = f"torch.randn({shape})" if shape else "torch.randn(())"
        form = self.random.choice(
            (f"{{}} * self.p{k}", f"({{}} + self.p{k})", f"{{}} * torch.sigmoid(self.p{k})",
             f"torch.exp(-self.p{k}.abs()) * {{}}", f"({{}} - F.softplus(self.p{k}))")
        )  # fmt: skip
        return Node(form, n, [self.rows(n, depth)], [f"self.p{k} = nn.Parameter({draw})"])

    def buffer(self, n: int, depth: int) -> Node:
        k = self.number()
        init = f'self.register_buffer("u{k}", torch.rand({n}))'
        form = self.random.choice((f"{{}} * self.u{k}", f"torch.where(self.u{k} > 0.5, {{}}, 0.2)"))
        return Node(form, n, [self.rows(n, depth)], [init])

    def module(self, n: int, depth: int) -> Node:
        k, of = self.number(), self.rows(n, depth)
        made = self.random.choice(
            (f"nn.Sequential(nn.Linear({n}, {n + 1}), nn.Tanh(), nn.Linear({n + 1}, {n}))",
             "nn.Softplus(beta=2)", "nn.LeakyReLU(0.2)", "nn.Dropout(0.0)", "nn.Identity()",
             f"nn.LayerNorm({n})", "nn.Sigmoid()", "nn.GELU()", "nn.Hardtanh(-0.5, 0.5)")
        )  # fmt: skip
        return Node(f"self.m{k}({{}})", n, [of], [f"self.m{k} = {made}"])

    def normed(self, n: int, depth: int) -> Node:
        k = self.number()
        weight = f"self.g{k} = nn.Parameter(torch.rand({n}) + 0.5)"
        forms = (
            (f"F.layer_norm({{}}, ({n},))", []),
            (f"F.layer_norm({{}}, ({n},), self.g{k}, eps=1e-3)", [weight]),
            (f"F.rms_norm({{}}, ({n},), self.g{k}, 1e-4)", [weight]),
        )
        template, init = self.random.choice(forms)
        return Node(template, n, [self.rows(n, depth)], list(init))

    def concatenated(self, n: int, depth: int) -> Node:
        if n == 1:
            return self.unary(n, depth)
        a = self.random.randint(1, n - 1)
        axis = self.random.choice(("-1", "1", "dim=1"))
        form = f"torch.cat([{{}}, {{}}], {axis})"
        return Node(form, n, [self.rows(a, depth), self.rows(n - a, depth)])

    def reduced(self, n: int, depth: int) -> Node:
        one = Node(self.random.choice(TO_ONE), 1, [self.rows(self.width(), depth)])
        if n == 1:
            return one
        if self.random.random() < 0.3:
            return Node(f"{{}}.expand(-1, {n})", n, [one])
        form = self.random.choice(("({} + {})", "{} * {}", "({} - {})", "torch.maximum({}, {})"))
        return Node(form, n, [one, self.rows(n, depth)])

    def across(self, n: int, depth: int) -> Node:
        return Node(self.random.choice(ACROSS), n, [self.rows(n, depth)])

    def viewed(self, n: int, depth: int) -> Node:
        """Take the features as a table of two axes and compute over one of them."""
        g = self.random.choice((1, 2, 3))
        of = self.rows(n * g, depth)
        forms = [
            f"{{}}.view(-1, {g}, {n}).sum(1)", f"{{}}.reshape(-1, {n}, {g}).mean(-1)",
            f"{{}}.unflatten(1, ({g}, {n})).softmax(1)[:, 0]", f"{{}}.view(-1, {n}, {g}).amax(2)",
            f"{{}}.view(-1, {g}, {n}).transpose(1, 2).logsumexp(-1)",
            f"torch.stack({{}}.chunk({g}, -1), 1).mean(1)",
        ]  # fmt: skip
        return Node(self.random.choice(forms), n, [of])

    def outer(self, n: int, depth: int) -> Node:
        m = self.random.choice((1, 2, 3, 4))
        a, b = self.rows(n, depth), self.rows(m, depth)
        form = self.random.choice(
            ("({}.unsqueeze(2) * {}.unsqueeze(1)).sum(2)",
             "({1}.unsqueeze(2) * {0}.unsqueeze(1)).sum(1)",
             "torch.einsum('bi,bj->bi', {}, {})",
             "torch.bmm({}.unsqueeze(2), {}.unsqueeze(1)).mean(2)")
        )  # fmt: skip
        return Node(form, n, [a, b])

    def attention(self, n: int, depth: int) -> Node:
        g = self.random.choice((2, 3))
        keys, query = self.rows(n * g, depth), self.rows(n, depth)
        form = (
            f"(torch.softmax(({{0}}.view(-1, {g}, {n}) * {{1}}.unsqueeze(1)).sum(-1), -1)"
            f".unsqueeze(-1) * {{0}}.view(-1, {g}, {n})).sum(1)"
        )
        return Node(form, n, [keys, query])

    def constant(self, n: int, depth: int) -> Node:
        form = self.random.choice(
            ("({} + torch.ones_like({}))", f"({{}} + torch.arange({n}, dtype=x.dtype) * 0.1)",
             f"({{}} * torch.full((x.shape[0], {n}), 0.7, dtype=x.dtype))",
             f"({{}} + x.new_zeros(x.size(0), {n}))", f"({{}} * torch.linspace(0, 1, {n}, dtype=x.dtype))")
        )  # fmt: skip
        return Node(form, n, [self.rows(n, depth)])

    def indexed(self, n: int, depth: int) -> Node:
        m = self.width()
        picks = [self.random.randrange(m) for _ in range(n)]
        form = self.random.choice(
            (f"{{}}[:, {picks}]", f"{{}}.index_select(1, torch.tensor({picks}))",
             f"torch.stack([{{0}}[:, i] for i in {picks}], 1)")
        )  # fmt: skip
        return Node(form, n, [self.rows(m, depth)])
