"""The ways in which a cell may read what can change between two calls.

Each `Way` says where the value lies (`top`: lines before the cell, `body`: lines of its class,
`init`: lines of its __init__), how `forward` reads it, and what changes it: `{k}` is a number of
its own, `{v}` the new number, `m` each cell of the layer.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Way:
    """One way of reading, and how what is read changes."""

    name: str
    read: str
    changes: tuple[str, ...]
    init: tuple[str, ...] = ()
    top: tuple[str, ...] = ()
    body: tuple[str, ...] = ()


def way(
    name: str,
    read: str,
    *changes: str,
    init: str | tuple[str, ...] = (),
    top: str | tuple[str, ...] = (),
    body: str | tuple[str, ...] = (),
) -> Way:
    def lines(text: str | tuple[str, ...]) -> tuple[str, ...]:
        return (text,) if isinstance(text, str) else text

    return Way(name, read, changes, lines(init), lines(top), lines(body))


_HOLDER = "class Holder{k}:\n    def __init__(self):\n        self.by = 0.75"
_PART = (
    "class Part{k}(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    "        self.by = 0.75\n    def forward(self, a):\n        return a * self.by"
)

# How a number is read.
NUMBERS = (
    way("attribute", "self.n{k}", "m.n{k} = {v}", init="self.n{k} = 0.75"),
    way("nested module", "self.part{k}.by", "m.part{k}.by = {v}", top=_PART, init="self.part{k} = Part{k}()"),
    way("module's forward", "self.part{k}(1.0)", "m.part{k}.by = {v}", top=_PART, init="self.part{k} = Part{k}()"),
    way("SimpleNamespace", "self.c{k}.by", "m.c{k}.by = {v}", "m.c{k} = SimpleNamespace(by={v})", init="self.c{k} = SimpleNamespace(by=0.75)"),
    way("argparse.Namespace", "self.c{k}.by", "m.c{k}.by = {v}", "m.c{k} = argparse.Namespace(by={v})", init="self.c{k} = argparse.Namespace(by=0.75)"),
    way("dataclass", "self.c{k}.by", "m.c{k}.by = {v}", top="@dataclass\nclass Config{k}:\n    by: float = 0.75", init="self.c{k} = Config{k}()"),
    way("dataclass with slots", "self.c{k}.by", "m.c{k}.by = {v}", top="@dataclass(slots=True)\nclass Config{k}:\n    by: float = 0.75", init="self.c{k} = Config{k}()"),
    way("frozen dataclass", "self.c{k}.by", "m.c{k} = dataclasses.replace(m.c{k}, by={v})", "object.__setattr__(m.c{k}, 'by', {v})", top="@dataclass(frozen=True)\nclass Config{k}:\n    by: float = 0.75", init="self.c{k} = Config{k}()"),
    way("dataclass in a dataclass", "self.c{k}.inner.by", "m.c{k}.inner.by = {v}", top="@dataclass\nclass Inner{k}:\n    by: float = 0.75\n@dataclass\nclass Config{k}:\n    inner: object = dataclasses.field(default_factory=Inner{k})", init="self.c{k} = Config{k}()"),
    way("plain object", "self.c{k}.by", "m.c{k}.by = {v}", "m.c{k}.__dict__['by'] = {v}", top=_HOLDER, init="self.c{k} = Holder{k}()"),
    way("object with slots", "self.c{k}.by", "m.c{k}.by = {v}", top="class Slots{k}:\n    __slots__ = ('by',)\n    def __init__(self):\n        self.by = 0.75", init="self.c{k} = Slots{k}()"),
    way("dict", "self.d{k}['by']", "m.d{k}['by'] = {v}", "m.d{k} = dict(by={v})", init="self.d{k} = dict(by=0.75)"),
    way("dict in a dict", "self.d{k}['a']['by']", "m.d{k}['a']['by'] = {v}", init="self.d{k} = dict(a=dict(by=0.75))"),
    way("dict in a list in a namespace", "self.d{k}.a[0]['by']", "m.d{k}.a[0]['by'] = {v}", init="self.d{k} = SimpleNamespace(a=[dict(by=0.75)])"),
    way("OrderedDict", "self.d{k}['by']", "m.d{k}['by'] = {v}", init="self.d{k} = collections.OrderedDict(by=0.75)"),
    way("defaultdict", "self.d{k}['by']", "m.d{k}['by'] = {v}", init="self.d{k} = collections.defaultdict(ones)"),
    way("ChainMap", "self.d{k}['by']", "m.d{k}.maps[1]['by'] = {v}", init="self.d{k} = collections.ChainMap(dict(), dict(by=0.75))"),
    way("mapping proxy", "self.d{k}['by']", "D{k}['by'] = {v}", top="D{k} = dict(by=0.75)", init="self.d{k} = MappingProxyType(D{k})"),
    way("own dict", "self.d{k}['by']", "m.d{k}['by'] = {v}", top="class Dict{k}(dict):\n    pass", init="self.d{k} = Dict{k}(by=0.75)"),
    way("UserDict", "self.d{k}['by']", "m.d{k}['by'] = {v}", init="self.d{k} = collections.UserDict(by=0.75)"),
    way("dict.get", "self.d{k}.get('by', 0.75)", "m.d{k}['by'] = {v}", init="self.d{k} = dict()"),
    way("key in a dict", "(1.5 if 'by' in self.d{k} else 0.75)", "m.d{k}['by'] = {v}", init="self.d{k} = dict()"),
    way("list", "self.d{k}[0]", "m.d{k}[0] = {v}", "m.d{k} = [{v}]", "m.d{k}.insert(0, {v})", init="self.d{k} = [0.75]"),
    way("sum of a list", "sum(self.d{k})", "m.d{k}.append({v})", init="self.d{k} = [0.75, 0.25]"),
    way("length of a list", "float(len(self.d{k}))", "m.d{k}.append(1)", init="self.d{k} = [1]"),
    way("deque", "self.d{k}[0]", "m.d{k}[0] = {v}", "m.d{k}.appendleft({v})", init="self.d{k} = collections.deque([0.75])"),
    way("tuple", "self.d{k}[1]", "m.d{k} = (0.0, {v})", init="self.d{k} = (0.0, 0.75)"),
    way("list in a tuple", "self.d{k}[1][0]", "m.d{k}[1][0] = {v}", init="self.d{k} = (0.0, [0.75])"),
    way("namedtuple", "self.d{k}.by", "m.d{k} = m.d{k}._replace(by={v})", top="Pair{k} = collections.namedtuple('Pair{k}', 'a by')", init="self.d{k} = Pair{k}(0.0, 0.75)"),
    way("set", "(1.5 if 'fast' in self.d{k} else 0.75)", "isinstance(m.d{k}, set) and m.d{k}.add('fast')", "m.d{k} = frozenset(['fast'])", init="self.d{k} = set()"),
    way("array", "float(self.d{k}[0])", "m.d{k}[0] = {v}", init="self.d{k} = array.array('d', [0.75])"),
    way("NumPy array", "float(self.d{k}[0])", "m.d{k}[0] = {v}", "m.d{k} *= 2", init="self.d{k} = np.array([0.75])"),
    way("NumPy number", "float(self.d{k})", "m.d{k} = np.float64({v})", init="self.d{k} = np.float64(0.75)"),
    way("Fraction", "float(self.d{k})", "m.d{k} = Fraction({v})", init="self.d{k} = Fraction(3, 4)"),
    way("text", "float(self.d{k})", "m.d{k} = '{v}'", init="self.d{k} = '0.75'"),
    way("bytearray", "float(self.d{k}[0])", "m.d{k}[0] = 2", init="self.d{k} = bytearray([1])"),
    way("None or not", "(0.75 if self.d{k} is None else self.d{k})", "m.d{k} = {v}", init="self.d{k} = None"),
    way("class attribute", "self.n{k}", "type(m).n{k} = {v}", "m.n{k} = {v}", body="n{k} = 0.75"),
    way("attribute of the class by name", "UserCell.n{k}", "type(m).n{k} = {v}", body="n{k} = 0.75"),
    way("inherited class attribute", "self.n{k}", "Base{k}.n{k} = {v}", "type(m).n{k} = {v}", top="class Base{k}:\n    n{k} = 0.75", body="#base Base{k}"),
    way("class attribute of an object", "self.c{k}.by", "Shared{k}.by = {v}", "m.c{k}.by = {v}", top="class Shared{k}:\n    by = 0.75", init="self.c{k} = Shared{k}()"),
    way("class held", "self.c{k}.by", "Shared{k}.by = {v}", top="class Shared{k}:\n    by = 0.75", init="self.c{k} = Shared{k}"),
    way("attribute of a metaclass", "Made{k}.by", "Meta{k}.by = {v}", top="class Meta{k}(type):\n    by = 0.75\nclass Made{k}(metaclass=Meta{k}):\n    pass"),
    way("method", "self.f{k}()", "m.f{k} = lambda: {v}", "type(m).f{k} = lambda self: {v}", body="def f{k}(self):\n    return 0.75"),
    way("inherited method", "self.f{k}()", "Base{k}.f{k} = lambda self: {v}", top="class Base{k}:\n    def f{k}(self):\n        return 0.75", body="#base Base{k}"),
    way("static method", "self.f{k}()", "type(m).f{k} = staticmethod(lambda: {v})", body="@staticmethod\ndef f{k}():\n    return 0.75"),
    way("class method", "self.f{k}()", "type(m).n{k} = {v}", body="n{k} = 0.75\n@classmethod\ndef f{k}(cls):\n    return cls.n{k}"),
    way("property", "self.f{k}", "m.n{k} = {v}", "type(m).f{k} = property(lambda self: {v})", init="self.n{k} = 0.75", body="@property\ndef f{k}(self):\n    return self.n{k}"),
    way("property of an object", "self.c{k}.f", "m.c{k}.by = {v}", top=_HOLDER + "\n    @property\n    def f(self):\n        return self.by", init="self.c{k} = Holder{k}()"),
    way("descriptor", "self.f{k}", "Descriptor{k}.by = {v}", top="class Descriptor{k}:\n    by = 0.75\n    def __get__(self, owner, kind):\n        return self.by", body="f{k} = Descriptor{k}()"),
    way("global", "N{k}", "globals()['N{k}'] = {v}", top="N{k} = 0.75"),
    way("global dict", "D{k}['by']", "D{k}['by'] = {v}", top="D{k} = dict(by=0.75)"),
    way("global namespace", "D{k}.by", "D{k}.by = {v}", top="D{k} = SimpleNamespace(by=0.75)"),
    way("global of a function", "read{k}()", "globals()['N{k}'] = {v}", top="N{k} = 0.75\ndef read{k}():\n    return N{k}"),
    way("global of another module", "settings{k}.by", "settings{k}.by = {v}", top="settings{k} = types.ModuleType('settings{k}')\nsettings{k}.by = 0.75"),
    way("builtin shadowed", "N{k}(0.75)", "globals()['N{k}'] = lambda a: {v}", top="N{k} = float"),
    way("closure", "read{k}()", "write{k}({v})", top="def closed{k}():\n    n = 0.75\n    def read():\n        return n\n    def write(v):\n        nonlocal n\n        n = v\n    return read, write\nread{k}, write{k} = closed{k}()"),
    way("dict in a closure", "read{k}()", "held{k}['by'] = {v}", top="def closed{k}():\n    held = dict(by=0.75)\n    return lambda: held['by'], held\nread{k}, held{k} = closed{k}()"),
    way("closure kept by the cell", "self.f{k}()", "write{k}({v})", top="def closed{k}():\n    n = 0.75\n    def read():\n        return n\n    def write(v):\n        nonlocal n\n        n = v\n    return read, write\nread{k}, write{k} = closed{k}()", init="self.f{k} = read{k}"),
    way("function", "read{k}()", "globals()['read{k}'] = lambda: {v}", top="def read{k}():\n    return 0.75"),
    way("code of a function", "read{k}()", "read{k}.__code__ = (lambda: {v}).__code__", top="def read{k}():\n    return 0.75"),
    way("default argument", "read{k}()", "read{k}.__defaults__ = ({v},)", top="def read{k}(by=0.75):\n    return by"),
    way("keyword default", "read{k}()", "read{k}.__kwdefaults__ = dict(by={v})", "read{k}.__kwdefaults__['by'] = {v}", top="def read{k}(*, by=0.75):\n    return by"),
    way("mutable default argument", "read{k}()", "read{k}.__defaults__[0][0] = {v}", top="def read{k}(by=[0.75]):\n    return by[0]"),
    way("attribute of a function", "read{k}.by", "read{k}.by = {v}", top="def read{k}():\n    pass\nread{k}.by = 0.75"),
    way("partial", "self.f{k}()", "m.f{k} = functools.partial(passed{k}, by={v})", "m.f{k}.keywords['by'] = {v}", top="def passed{k}(by):\n    return by", init="self.f{k} = functools.partial(passed{k}, by=0.75)"),
    way("partial of a method", "self.f{k}()", "m.c{k}.by = {v}", top=_HOLDER + "\n    def read(self, a):\n        return a * self.by", init="self.c{k} = Holder{k}(); self.f{k} = functools.partial(self.c{k}.read, 1.0)"),
    way("callable object", "self.f{k}()", "m.f{k}.by = {v}", top=_HOLDER + "\n    def __call__(self):\n        return self.by", init="self.f{k} = Holder{k}()"),
    way("bound method of an object", "self.f{k}()", "m.f{k}.__self__.by = {v}", top=_HOLDER + "\n    def read(self):\n        return self.by", init="self.f{k} = Holder{k}().read"),
    way("method of an object", "self.c{k}.read()", "Holder{k}.read = lambda self: {v}", "m.c{k}.read = lambda: {v}", top=_HOLDER + "\n    def read(self):\n        return self.by", init="self.c{k} = Holder{k}()"),
    way("operator of an object", "(self.c{k} * 2.0)", "m.c{k}.by = {v}", top=_HOLDER + "\n    def __mul__(self, a):\n        return self.by * a", init="self.c{k} = Holder{k}()"),
    way("item of an object", "self.c{k}['by']", "m.c{k}.by = {v}", top=_HOLDER + "\n    def __getitem__(self, name):\n        return getattr(self, name)", init="self.c{k} = Holder{k}()"),
    way("iteration over an object", "sum(self.c{k})", "m.c{k}.by = {v}", top=_HOLDER + "\n    def __iter__(self):\n        yield self.by", init="self.c{k} = Holder{k}()"),
    way("float of an object", "float(self.c{k})", "m.c{k}.by = {v}", top=_HOLDER + "\n    def __float__(self):\n        return self.by", init="self.c{k} = Holder{k}()"),
    way("truth of an object", "(1.5 if self.c{k} else 0.75)", "m.c{k}.by = 0", top=_HOLDER + "\n    def __bool__(self):\n        return self.by == 0", init="self.c{k} = Holder{k}()"),
    way("__getattr__", "self.c{k}.by", "m.c{k}.held['by'] = {v}", top="class Asked{k}:\n    def __init__(self):\n        self.held = dict(by=0.75)\n    def __getattr__(self, name):\n        if name == 'held' or name.startswith('__'):\n            raise AttributeError(name)\n        return self.held[name]", init="self.c{k} = Asked{k}()"),
    way("__getattribute__", "self.c{k}.by", "Asked{k}.factor = {v}", top="class Asked{k}:\n    factor = 0.75\n    def __getattribute__(self, name):\n        return Asked{k}.factor if name == 'by' else object.__getattribute__(self, name)", init="self.c{k} = Asked{k}()"),
    way("__getattr__ of the cell", "self.asked{k}", "D{k}['by'] = {v}", top="D{k} = dict(by=0.75)", body="def __getattr__(self, name):\n    return D{k}['by'] if name == 'asked{k}' else super().__getattr__(name)"),
    way("getattr by a computed name", "getattr(self, 'n' + str({k}))", "m.n{k} = {v}", init="self.n{k} = 0.75"),
    way("getattr by a kept name", "getattr(self, self.name{k})", "m.name{k} = 'other{k}'", init="self.n{k}, self.other{k}, self.name{k} = 0.75, {v}, 'n{k}'"),
    way("hasattr", "(1.5 if hasattr(self, 'n{k}') else 0.75)", "m.n{k} = 1"),
    way("vars", "vars(self)['n{k}']", "m.n{k} = {v}", init="self.n{k} = 0.75"),
    way("__dict__", "self.__dict__['n{k}']", "m.n{k} = {v}", init="self.n{k} = 0.75"),
    way("module in a list", "self.parts{k}[0].by", "m.parts{k}[0].by = {v}", top=_PART, init="self.parts{k} = [Part{k}()]"),
    way("module on an object", "self.c{k}.part.by", "m.c{k}.part.by = {v}", top=_PART, init="self.c{k} = SimpleNamespace(part=Part{k}())"),
    way("module in a dict", "self.parts{k}['a'](1.0)", "m.parts{k}['a'].by = {v}", top=_PART, init="self.parts{k} = dict(a=Part{k}())"),
    way("global module", "PART{k}(1.0)", "PART{k}.by = {v}", top=_PART + "\nPART{k} = Part{k}()"),
    way("ModuleDict by a key", "self.parts{k}[self.key{k}](1.0)", "m.key{k} = 'b'", "m.parts{k}['a'].by = {v}", top=_PART, init="self.parts{k} = nn.ModuleDict(dict(a=Part{k}(), b=Part{k}())); self.parts{k}['b'].by = {v}; self.key{k} = 'a'"),
    way("ModuleList by an index", "self.parts{k}[self.key{k}].by", "m.key{k} = 1", top=_PART, init="self.parts{k} = nn.ModuleList([Part{k}(), Part{k}()]); self.parts{k}[1].by = {v}; self.key{k} = 0"),
    way("mode", "(0.75 if self.training else 1.5)", "layer.train(not layer.training)", "m.train(not m.training)"),
    way("mode of a module in a list", "(0.75 if self.parts{k}[0].training else 1.5)", "m.parts{k}[0].eval()", init="self.parts{k} = [nn.Linear(1, 1)]"),
    way("mode of a part", "(0.75 if self.part{k}.training else 1.5)", "m.part{k}.eval()", init="self.part{k} = nn.Dropout(0.0)"),
    way("enum", "(0.75 if self.kind{k} is Kind{k}.SLOW else 1.5)", "m.kind{k} = Kind{k}.FAST", top="class Kind{k}(enum.Enum):\n    SLOW = 1\n    FAST = 2", init="self.kind{k} = Kind{k}.SLOW"),
    way("value of an enum", "self.kind{k}.value", "m.kind{k} = Kind{k}.FAST", top="class Kind{k}(enum.Enum):\n    SLOW = 0.75\n    FAST = {v}", init="self.kind{k} = Kind{k}.SLOW"),
    way("attribute of an enum's member", "self.kind{k}.by", "m.kind{k}.by = {v}", top="class Kind{k}(enum.Enum):\n    SLOW = 0.75\nKind{k}.SLOW.by = 0.75", init="self.kind{k} = Kind{k}.SLOW"),
    way("weak proxy", "self.c{k}.by", "HELD{k}.by = {v}", top=_HOLDER + "\nHELD{k} = Holder{k}()", init="self.c{k} = weakref.proxy(HELD{k})"),
    way("weak reference", "self.c{k}().by", "HELD{k}.by = {v}", top=_HOLDER + "\nHELD{k} = Holder{k}()", init="self.c{k} = weakref.ref(HELD{k})"),
    way("weak proxy to the cell", "self.c{k}[0].n{k}", "m.n{k} = {v}", init="self.n{k} = 0.75; self.c{k} = [weakref.proxy(self)]"),
    way("object in a cycle", "self.c{k}.me.me.by", "m.c{k}.by = {v}", top=_HOLDER, init="self.c{k} = Holder{k}(); self.c{k}.me = self.c{k}"),
    way("dict in itself", "self.d{k}['me']['by']", "m.d{k}['by'] = {v}", init="self.d{k} = dict(by=0.75); self.d{k}['me'] = self.d{k}"),
    way("list in itself", "self.d{k}[1][0]", "m.d{k}[0] = {v}", init="self.d{k} = [0.75]; self.d{k}.append(self.d{k})"),
    way("two dataclasses in a circle", "self.c{k}.other.other.by", "m.c{k}.by = {v}", top="@dataclass\nclass Node{k}:\n    by: float = 0.75\n    other: object = None", init="self.c{k} = Node{k}(); self.c{k}.other = Node{k}(0.5, self.c{k})"),
    way("object that holds the cell", "self.c{k}.owner.n{k}", "m.n{k} = {v}", init="self.n{k} = 0.75; self.c{k} = SimpleNamespace(owner=self)"),
    way("context variable", "VAR{k}.get()", "VAR{k}.set({v})", top="VAR{k} = contextvars.ContextVar('var{k}', default=0.75)"),
    way("thread's own value", "getattr(LOCAL{k}, 'by', 0.75)", "LOCAL{k}.by = {v}", top="LOCAL{k} = threading.local()"),
    way("environment", "float(os.environ.get('FUZZ_BY', '0.75'))", "os.environ['FUZZ_BY'] = '{v}'"),
    way("attribute of a parameter", "self.w{k}.by", "m.w{k}.by = {v}", init="self.w{k} = nn.Parameter(torch.ones(1)); self.w{k}.by = 0.75"),
    way("requires_grad of a parameter", "(1.5 if self.w{k}.requires_grad else 0.75)", "m.w{k}.requires_grad_(False)", init="self.w{k} = nn.Parameter(torch.ones(1))"),
    way("one parameter or two", "(1.5 if self.a{k} is self.z{k} else 0.75)", "m.z{k} = nn.Parameter(torch.ones(1, dtype=DTYPE))", init="self.a{k} = nn.Parameter(torch.ones(1)); self.z{k} = self.a{k}"),
    way("number of a parameter", "self.w{k}.item()", "m.w{k}.data.fill_({v})", init="self.w{k} = nn.Parameter(torch.full((), 0.75))"),
    way("number of a buffer", "float(self.u{k})", "m.u{k}.fill_({v})", "m.u{k} = torch.tensor({v}, dtype=DTYPE)", init="self.register_buffer('u{k}', torch.tensor(0.75))"),
    way("number of a tensor", "self.t{k}.item()", "m.t{k}.fill_({v})", "m.t{k} = torch.tensor({v})", init="self.t{k} = torch.tensor(0.75)"),
    way("list of a tensor", "self.t{k}.tolist()[0]", "m.t{k}.data.fill_({v})", init="self.t{k} = torch.tensor([0.75])"),
    way("grad mode", "(1.5 if torch.is_grad_enabled() else 0.75)", "layer.requires_grad_(True)"),
    way("length of a ModuleList", "0.5 * len(self.parts{k})", "m.parts{k}.append(nn.Identity())", init="self.parts{k} = nn.ModuleList([nn.Identity()])"),
    way("shape of a plain tensor", "0.3 * self.t{k}.shape[0]", "m.t{k} = torch.ones(4)", init="self.t{k} = torch.ones(2)"),
    way("lambda over the cell", "self.f{k}()", "m.n{k} = {v}", init="self.n{k} = 0.75; self.f{k} = lambda: self.n{k}"),
    way("attribute given by a class decorator", "self.n{k}", "type(m).n{k} = {v}", top="def marked{k}(cls):\n    cls.n{k} = 0.75\n    return cls", body="#decorator marked{k}"),
    way("nested attribute of a buffer's owner", "self.part{k}.u.sum().item()", "m.part{k}.u.fill_({v})", init="self.part{k} = nn.Module(); self.part{k}.register_buffer('u', torch.tensor([0.75]))"),
)  # fmt: skip

# How a tensor of {n} numbers is read; it multiplies the rows.
TENSORS = (
    way("tensor", "self.t{k}", "m.t{k}.mul_(2)", "m.t{k} = torch.full(({n},), {v}, dtype=DTYPE)", "m.t{k}.data.fill_({v})", init="self.t{k} = torch.full(({n},), 0.75, dtype=DTYPE)"),
    way("tensor with gradient", "self.t{k}", "m.t{k}.data.mul_(2)", "m.t{k}.requires_grad_(False)", init="self.t{k} = torch.full(({n},), 0.75, dtype=DTYPE, requires_grad=True)"),
    way("tensor in a list", "self.t{k}[0]", "m.t{k}[0].mul_(2)", "m.t{k}[0] = torch.full(({n},), {v}, dtype=DTYPE)", init="self.t{k} = [torch.full(({n},), 0.75, dtype=DTYPE)]"),
    way("tensor in a dict", "self.t{k}['a']", "m.t{k}['a'].data.mul_(2)", init="self.t{k} = dict(a=torch.full(({n},), 0.75, dtype=DTYPE))"),
    way("tensor in a namespace", "self.t{k}.a", "m.t{k}.a = torch.full(({n},), {v}, dtype=DTYPE)", "m.t{k}.a.mul_(2)", init="self.t{k} = SimpleNamespace(a=torch.full(({n},), 0.75, dtype=DTYPE))"),
    way("parameter in a list", "self.t{k}[0]", "m.t{k}[0].data.mul_(2)", "m.t{k}[0] = nn.Parameter(torch.full(({n},), {v}, dtype=DTYPE))", "m.t{k}[0].requires_grad_(False)", init="self.t{k} = [nn.Parameter(torch.full(({n},), 0.75, dtype=DTYPE))]"),
    way("parameter on an object", "self.c{k}.by", "m.c{k}.by.data.mul_(2)", top="class Holder{k}:\n    pass", init="self.c{k} = Holder{k}(); self.c{k}.by = nn.Parameter(torch.full(({n},), 0.75, dtype=DTYPE))"),
    way("global tensor", "T{k}", "T{k}.mul_(2)", "globals()['T{k}'] = torch.full(({n},), {v}, dtype=DTYPE)", top="T{k} = torch.full(({n},), 0.75, dtype=DTYPE)"),
    way("global parameter", "T{k}", "T{k}.data.mul_(2)", top="T{k} = nn.Parameter(torch.full(({n},), 0.75, dtype=DTYPE))"),
    way("tensor in a closure", "read{k}()", "held{k}.mul_(2)", top="def closed{k}():\n    held = torch.full(({n},), 0.75, dtype=DTYPE)\n    return lambda: held, held\nread{k}, held{k} = closed{k}()"),
    way("class attribute, a tensor", "self.t{k}", "type(m).t{k}.mul_(2)", "type(m).t{k} = torch.full(({n},), {v}, dtype=DTYPE)", body="t{k} = torch.full(({n},), 0.75, dtype=DTYPE)"),
    way("weight of a module in a list", "self.parts{k}[0].weight[:, 0]", "m.parts{k}[0].weight.data.mul_(2)", "m.parts{k}[0].weight = nn.Parameter(torch.full(({n}, 1), {v}, dtype=DTYPE))", init="self.parts{k} = [nn.Linear(1, {n}, dtype=DTYPE)]"),
    way("weight of a module on an object", "self.c{k}.part.weight[:, 0]", "m.c{k}.part.weight.data.mul_(2)", init="self.c{k} = SimpleNamespace(part=nn.Linear(1, {n}, dtype=DTYPE))"),
    way("weight through a weak reference", "self.c{k}().weight[:, 0]", "PART{k}.weight.data.mul_(2)", top="PART{k} = nn.Linear(1, {n}, dtype=DTYPE)", init="self.c{k} = weakref.ref(PART{k})"),
    way("parameter", "self.w{k}", "m.w{k}.data.mul_(2)", "m.w{k} = nn.Parameter(torch.full(({n},), {v}, dtype=DTYPE))", "m.w{k}.data = torch.full(({n},), {v}, dtype=DTYPE)", "m.w{k}.requires_grad_(False)", "m.w{k}.detach().numpy()[:] = {v}", init="self.w{k} = nn.Parameter(torch.full(({n},), 0.75))"),
    way("parameter, in place", "self.w{k}", "in_place(m.w{k}, {v})", init="self.w{k} = nn.Parameter(torch.full(({n},), 0.75))"),
    way("computed weight", "self.f{k}", "m.w{k}.data.mul_(2)", init="self.w{k} = nn.Parameter(torch.full(({n},), 0.75))", body="@property\ndef f{k}(self):\n    return torch.exp(self.w{k})"),
    way("ParameterList", "self.w{k}[0]", "m.w{k}[0].data.mul_(2)", "m.w{k}[0] = nn.Parameter(torch.full(({n},), {v}, dtype=DTYPE))", init="self.w{k} = nn.ParameterList([torch.full(({n},), 0.75)])"),
    way("ParameterDict", "self.w{k}['a']", "m.w{k}['a'].data.mul_(2)", init="self.w{k} = nn.ParameterDict(dict(a=torch.full(({n},), 0.75)))"),
    way("tied parameters", "(self.w{k} + self.z{k})", "m.w{k}.data.mul_(2)", "m.z{k} = nn.Parameter(torch.full(({n},), {v}, dtype=DTYPE))", init="self.w{k} = nn.Parameter(torch.full(({n},), 0.75)); self.z{k} = self.w{k}"),
    way("buffer", "self.u{k}", "m.u{k}.mul_(2)", "m.u{k} = torch.full(({n},), {v}, dtype=DTYPE)", init="self.register_buffer('u{k}', torch.full(({n},), 0.75))"),
    way("buffer that is not saved", "self.u{k}", "m.u{k}.data.mul_(2)", init="self.register_buffer('u{k}', torch.full(({n},), 0.75), persistent=False)"),
    way("buffer of a part", "self.part{k}.running_mean", "m.part{k}.running_mean.fill_({v})", init="self.part{k} = nn.BatchNorm1d({n})"),
    way("NumPy array as a tensor", "torch.from_numpy(self.a{k}).to(x.dtype)", "m.a{k}[:] = {v}", init="self.a{k} = np.full({n}, 0.75)"),
    way("memory shared with NumPy", "self.t{k}.to(x.dtype)", "m.a{k}[:] = {v}", init="self.a{k} = np.full({n}, 0.75); self.t{k} = torch.from_numpy(self.a{k})"),
    way("list as a tensor", "torch.tensor(self.d{k}, dtype=x.dtype)", "m.d{k}[0] = {v}", init="self.d{k} = [0.75] * {n}"),
    way("integer buffer as an index", "torch.full(({n},), 0.75, dtype=x.dtype)[self.u{k}] * 1.0", "m.u{k}.zero_()", init="self.register_buffer('u{k}', torch.arange({n}))"),
    way("parameter of a subclass", "self.w{k}", "Doubled{k}.by = {v}", "m.w{k}.data.mul_(2)", top="class Doubled{k}(nn.Parameter):\n    by = 2.0\n    @classmethod\n    def __torch_function__(cls, function, types, args=(), kwargs=None):\n        out = super().__torch_function__(function, types, args, kwargs or dict())\n        return out * cls.by if getattr(function, '__name__', '') in ('mul', '__mul__') else out", init="self.w{k} = Doubled{k}(torch.full(({n},), 0.75, dtype=DTYPE))"),
    way("boolean buffer", "torch.where(self.u{k}, 0.75, x.new_ones({n}))", "m.u{k}.fill_(False)", "m.u{k}.logical_not_()", init="self.register_buffer('u{k}', torch.ones({n}, dtype=torch.bool))"),
)  # fmt: skip

# How a function of rows is read.
FUNCTIONS = (
    way("function kept", "self.f{k}({{}})", "m.f{k} = torch.sin", init="self.f{k} = torch.tanh"),
    way("function by name", "getattr(torch, self.f{k})({{}})", "m.f{k} = 'sin'", init="self.f{k} = 'tanh'"),
    way("function in a dict", "self.f{k}['a']({{}})", "m.f{k}['a'] = torch.sin", init="self.f{k} = dict(a=torch.tanh)"),
    way("global dict of functions", "FUNCTIONS{k}[self.f{k}]({{}})", "FUNCTIONS{k}['a'] = torch.sin", "m.f{k} = 'b'", top="FUNCTIONS{k} = dict(a=torch.tanh, b=torch.sigmoid)", init="self.f{k} = 'a'"),
    way("global function of rows", "act{k}({{}})", "globals()['act{k}'] = torch.sin", top="def act{k}(a):\n    return torch.tanh(a)"),
    way("lambda kept", "self.f{k}({{}})", "m.f{k} = lambda a: a.sin()", init="self.f{k} = lambda a: a.tanh()"),
    way("list of functions", "through(self.f{k}, {{}})", "m.f{k}.append(torch.sin)", "m.f{k}[0] = torch.sin", init="self.f{k} = [torch.tanh]"),
    way("activation module", "self.m{k}({{}})", "m.m{k} = nn.Sigmoid()", "m.m{k}.forward = torch.sin", init="self.m{k} = nn.Tanh()"),
    way("activation's slope", "self.m{k}({{}})", "m.m{k}.negative_slope = {v}", init="self.m{k} = nn.LeakyReLU(0.1)"),
    way("activation's beta", "self.m{k}({{}})", "m.m{k}.beta = 2", init="self.m{k} = nn.Softplus()"),
    way("activation's bound", "self.m{k}({{}})", "m.m{k}.max_val = 0.1", init="self.m{k} = nn.Hardtanh(-1.0, 1.0)"),
    way("dropout's rate", "self.m{k}({{}})", "m.m{k}.p = 1.0", init="self.m{k} = nn.Dropout(0.0)"),
    way("norm's epsilon", "self.m{k}({{}})", "m.m{k}.eps = 0.5", init="self.m{k} = nn.LayerNorm({n})"),
    way("item of a Sequential", "self.m{k}({{}})", "m.m{k}[0] = nn.Sigmoid()", "m.m{k}.append(nn.Tanh())", init="self.m{k} = nn.Sequential(nn.Tanh())"),
    way("module in a list, called", "self.m{k}[0]({{}})", "m.m{k}[0].weight.data.mul_(2)", "m.m{k}[0] = nn.Linear({n}, {n}, dtype=DTYPE)", init="self.m{k} = [nn.Linear({n}, {n}, dtype=DTYPE)]"),
    way("module on an object, called", "self.m{k}.part({{}})", "m.m{k}.part.bias.data.add_({v})", "m.m{k}.part = nn.Tanh()", init="self.m{k} = SimpleNamespace(part=nn.Linear({n}, {n}, dtype=DTYPE))"),
    way("module's class", "self.m{k}({{}})", "Act{k}.forward = lambda self, a: torch.sin(a)", top="class Act{k}(nn.Module):\n    def forward(self, a):\n        return torch.tanh(a)", init="self.m{k} = Act{k}()"),
    way("forward hook", "self.m{k}({{}})", "m.m{k}.register_forward_hook(lambda mod, given, out: out * {v})", init="self.m{k} = nn.Linear({n}, {n})"),
    way("forward pre-hook", "self.m{k}({{}})", "m.m{k}.register_forward_pre_hook(lambda mod, given: (given[0] * {v},))", init="self.m{k} = nn.Linear({n}, {n})"),
    way("weight norm", "self.m{k}({{}})", "nn.utils.parametrizations.weight_norm(m.m{k})", init="self.m{k} = nn.Linear({n}, {n})"),
    way("parametrisation", "self.m{k}({{}})", "nn.utils.parametrize.register_parametrization(m.m{k}, 'weight', nn.Tanh())", init="self.m{k} = nn.Linear({n}, {n})"),
    way("pruning", "self.m{k}({{}})", "nn.utils.prune.l1_unstructured(m.m{k}, 'weight', 0.5)", init="self.m{k} = nn.Linear({n}, {n})"),
    way("Linear without its bias", "self.m{k}({{}})", "m.m{k}.bias = None", init="self.m{k} = nn.Linear({n}, {n})"),
    way("part swapped", "self.m{k}({{}})", "m.m{k} = nn.Linear({n}, {n}, dtype=DTYPE)", "m.m{k} = nn.Identity()", "m.m{k} = nn.Sequential(nn.Linear({n}, {n}, dtype=DTYPE), nn.Tanh())", init="self.m{k} = nn.Linear({n}, {n})"),
    way("forward of the part", "self.m{k}({{}})", "m.m{k}.forward = lambda a: a * {v}", init="self.m{k} = nn.Linear({n}, {n})"),
    way("method of rows", "self.f{k}({{}})", "m.f{k} = torch.sin", "type(m).f{k} = lambda self, a: torch.sin(a)", body="def f{k}(self, a):\n    return torch.tanh(a)"),
    way("partial of a function", "self.f{k}({{}})", "m.f{k}.keywords['max'] = 0.2", "m.f{k} = functools.partial(torch.clamp, min=-0.1, max=0.1)", init="self.f{k} = functools.partial(torch.clamp, min=-1, max=1)"),
    way("function with a mutable default", "act{k}({{}})", "act{k}.__defaults__[0].append(torch.sin)", top="def act{k}(a, functions=[torch.tanh]):\n    for f in functions:\n        a = f(a)\n    return a"),
    way("decorated function", "act{k}({{}})", "D{k}['by'] = {v}", top="D{k} = dict(by=0.75)\ndef scaled{k}(f):\n    @functools.wraps(f)\n    def inner(a):\n        return f(a) * D{k}['by']\n    return inner\n@scaled{k}\ndef act{k}(a):\n    return torch.tanh(a)"),
)  # fmt: skip


# What a cell writes outside of what it returns: `line` writes the rows {v}, `read` gives what was
# written, as a list; `clear` forgets it.
@dataclass(frozen=True)
class Record:
    """One way of writing."""

    name: str
    line: str
    read: str
    clear: str
    top: tuple[str, ...] = ()
    init: tuple[str, ...] = ()


_AUX = "class Aux{k}:\n    def __init__(self):\n        self.kept = []\n        self.total = 0.0\n    def add(self, a):\n        self.kept.append(a)\nAUX{k} = Aux{k}()"
RECORDS = (
    Record("list outside", "LOG{k}.append({v})", "LOG{k}", "LOG{k}.clear()", ("LOG{k} = []",)),
    Record("deque outside", "LOG{k}.append({v})", "list(LOG{k})", "LOG{k}.clear()", ("LOG{k} = collections.deque()",)),
    Record("dict outside", "LOG{k}.update(a={v})", "list(LOG{k}.values())", "LOG{k}.clear()", ("LOG{k} = dict()",)),
    Record("item of a dict outside", "LOG{k}['a'] = {v}", "list(LOG{k}.values())", "LOG{k}.clear()", ("LOG{k} = dict()",)),
    Record("attribute of a helper", "AUX{k}.last = {v}", "[AUX{k}.last]", "AUX{k}.last = None", (_AUX,)),
    Record("method of a helper", "AUX{k}.add({v})", "AUX{k}.kept", "AUX{k}.kept.clear()", (_AUX,)),
    Record("sum on a helper", "AUX{k}.total = AUX{k}.total + {v}.sum()", "[torch.as_tensor(AUX{k}.total)]", "AUX{k}.total = 0.0", (_AUX,)),
    Record("count on a helper", "AUX{k}.total += 1", "[torch.as_tensor(AUX{k}.total)]", "AUX{k}.total = 0.0", (_AUX,)),
    Record("helper kept by the cell", "self.aux{k}.add({v})", "AUX{k}.kept", "AUX{k}.kept.clear()", (_AUX,), ("self.aux{k} = AUX{k}",)),
    Record("own list", "self.log{k}.append({v})", "[a for m in users(layer) for a in m.log{k}]", "[m.log{k}.clear() for m in users(layer)]", (), ("self.log{k} = []",)),
    Record("own attribute", "self.last{k} = {v}", "[m.last{k} for m in users(layer)]", "[m.__dict__.pop('last{k}', None) for m in users(layer)]", (), ("self.last{k} = None",)),
    Record("attribute of a part", "self.part{k}.last = {v}", "[m.part{k}.last for m in users(layer)]", "[m.part{k}.__dict__.pop('last', None) for m in users(layer)]", (), ("self.part{k} = nn.Identity()",)),
    Record("buffer in place", "self.u{k}.copy_({v}.mean().detach())", "[m.u{k}.clone() for m in users(layer)]", "[m.u{k}.zero_() for m in users(layer)]", (), ("self.register_buffer('u{k}', torch.zeros(()))",)),
    Record("class attribute written", "UserCell.last{k} = {v}", "[UserCell.last{k}]", "UserCell.last{k} = None"),
    Record("global written", "globals()['LAST{k}'] = {v}", "[LAST{k}]", "globals()['LAST{k}'] = None", ("LAST{k} = None",)),
    Record("closure written", "write{k}({v})", "[read{k}()]", "write{k}(None)", ("def closed{k}():\n    n = None\n    def read():\n        return n\n    def write(v):\n        nonlocal n\n        n = v\n    return read, write\nread{k}, write{k} = closed{k}()",)),
    Record("queue", "LOG{k}.put({v})", "list(LOG{k}.queue)", "LOG{k}.queue.clear()", ("import queue\nLOG{k} = queue.Queue()",)),
    Record("shape outside", "LOG{k}.append(torch.tensor({v}.shape))", "LOG{k}", "LOG{k}.clear()", ("LOG{k} = []",)),
)  # fmt: skip
