"""Where the engine's code can lead, read from the code itself: which methods reach which, and what adapters ask AWS for.

Calls are followed by types: constructors name the type of each part, and `bootstrap.Services` says which adapter serves which port. Where
code could go either way both count, so what is found is rather too much than too little.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Node = tuple[str, str]
"""A class, or a module's path, and the name of a method or function in it."""

ANY_KIND = {("StepKind", "enact"): "perform", ("StepKind", "conclude"): "conclude"}
"""What the engine asks of a kind, and the method that every kind has for it."""


@dataclass
class Kind:
    """A class: where it stands, its bases, methods, and the types of its attributes."""

    module: str
    bases: list[str] = field(default_factory=list)
    methods: dict[str, ast.FunctionDef] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)


class Code:
    """The package's classes and functions, and who calls whom. A function's owner is its module's path."""

    def __init__(self, package: Path, folders: tuple[str, ...]) -> None:
        self.kinds: dict[str, Kind] = {}
        self.functions: dict[Node, ast.FunctionDef] = {}
        self.modules: dict[str, list[Node]] = {}
        self._imported: dict[str, dict[str, Node]] = {}
        self._namesakes: list[tuple[str, Kind]] = []
        self._package = package
        found = [path for folder in folders for path in sorted((package / folder).rglob("*.py"))]
        for path in [*found, *sorted((package / "bootstrap").glob("*.py"))]:
            if "memory" not in path.parts:
                self._read(str(path.relative_to(package)), ast.parse(path.read_text()))
        for kind in self.kinds.values():
            self._read_parts(kind)
        for name, kind in self._namesakes:
            leads = [part for part in kind.parts.values() if part in self.kinds and self.kinds[part].methods]
            harmless = "Protocol" in kind.bases or not (kind.methods.keys() - {"__init__"} or leads)
            assert harmless, f"{kind.module}: there is another {name} in {self.kinds[name].module}"

    def reached(self, roots: Iterable[Node]) -> set[Node]:
        """All that the roots lead to, themselves included."""
        found: set[Node] = set()
        pending = list(roots)
        while pending:
            node = pending.pop()
            if node not in found:
                found.add(node)
                pending.extend(self.leads(node))
        return found

    def body(self, node: Node) -> tuple[str, ast.FunctionDef] | None:
        """The module and code of a method or function, inherited ones included."""
        owner, name = node
        if node in self.functions:
            return owner, self.functions[node]
        kind = self.kinds.get(owner)
        if kind is None:
            return None
        if name in kind.methods:
            return kind.module, kind.methods[name]
        return next((one for base in kind.bases if (one := self.body((base, name)))), None)

    def part(self, owner: str, name: str) -> str:
        """The type of an attribute; nothing when it isn't known."""
        kind = self.kinds.get(owner)
        if kind is None:
            return ""
        return kind.parts.get(name) or next((one for base in kind.bases if (one := self.part(base, name))), "")

    def adapters(self) -> dict[str, str]:
        """Which class serves a port, as bootstrap says."""
        found = {}
        bound = [
            method
            for kind in self.kinds.values()
            if kind.module.startswith("bootstrap/")
            for method in kind.methods.values()
        ]
        for method in bound:
            made = [one.value for one in ast.walk(method) if isinstance(one, ast.Return)]
            if (
                isinstance(method.returns, ast.Name)
                and made
                and isinstance(made[0], ast.Call)
                and isinstance(made[0].func, ast.Name)
            ):
                found[method.returns.id] = made[0].func.id
        return found

    # --- reading ---------------------------------------------------------------------------------------------------------------

    def _read(self, path: str, module: ast.Module) -> None:
        here = self.modules[path] = []
        imported = self._imported[path] = {}
        for one in ast.walk(module):
            if isinstance(one, ast.ImportFrom) and one.module:
                source = one.module.removeprefix("quintet.").replace(".", "/") + ".py"
                imported |= {name.asname or name.name: (source, name.name) for name in one.names}
        for one in module.body:
            if isinstance(one, ast.FunctionDef):
                self.functions[path, one.name] = one
                here.append((path, one.name))
            elif isinstance(one, ast.ClassDef):
                self._read_class(path, one)
                here.extend((one.name, name) for name in self.kinds[one.name].methods)

    def _read_class(self, path: str, written: ast.ClassDef) -> None:
        kind = Kind(path, [base.id for base in written.bases if isinstance(base, ast.Name)])
        # Types are known by name. The dialects' shapes may be called like a service or port; what these lead to is what counts. Of
        # others only what leads nowhere by itself may be called like something else.
        taken = self.kinds.setdefault(written.name, kind)
        if taken is not kind and not path.startswith("dialects/") and written.name != "Engine":
            self._namesakes.append((written.name, kind))
        for one in written.body:
            if isinstance(one, ast.FunctionDef):
                kind.methods[one.name] = one
                if any(isinstance(mark, ast.Name) and mark.id.endswith("property") for mark in one.decorator_list):
                    kind.parts[one.name] = _named(one.returns)
            elif isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                kind.parts[one.target.id] = _named(one.annotation)

    def _read_parts(self, kind: Kind) -> None:
        if made := kind.methods.get("__init__"):
            given = _arguments(made)
            for one in ast.walk(made):
                if isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Attribute):
                    kind.parts[one.targets[0].attr] = self._type(one.value, given, kind.module)

    # --- following -------------------------------------------------------------------------------------------------------------

    def leads(self, node: Node) -> Iterator[Node]:
        if node in ANY_KIND:
            # Which kind it is the definition says: any of them.
            yield from ((name, ANY_KIND[node]) for name, kind in self.kinds.items() if kind.module.startswith("steps/"))
        found = self.body(node)
        if found is None:
            return
        module, body = found
        # The parts are put together in several classes, which are one object.
        known = _arguments(body) | {"self": "Services" if module.startswith("bootstrap/") else node[0]}
        for _ in range(2):  # a name may be made of one that is assigned further down in the walk
            for name, value in _assigned(body):
                if made := self._type(value, known, module):
                    known[name] = made
        for one in ast.walk(body):
            if isinstance(one, ast.Attribute) and (holder := self._type(one.value, known, module)):
                yield holder, one.attr
            elif isinstance(one, ast.Call) and (called := self._type(one.func, known, module)):
                yield called, "__call__"
            elif isinstance(one, ast.Name):
                yield from self._meant(one.id, module)

    def _meant(self, name: str, module: str) -> Iterator[Node]:
        """The function or class that a name stands for in a module."""
        source, real = self._imported[module].get(name, (module, name))
        if (source, real) in self.functions:
            yield source, real
        elif real in self.kinds:
            yield real, "__init__"

    def _type(self, value: ast.expr, known: Mapping[str, str], module: str) -> str:
        match value:
            case ast.Name(id=name):
                return known.get(name, "")
            case ast.Attribute(value=holder, attr=name):
                found = self.part(self._type(holder, known, module), name)
                # What routes hold is the services, however they came by it.
                return found or ("Services" if name.strip("_") == "engine" else "")
            case ast.Call(func=ast.Name(id=name)):
                return next((owner for owner, inner in self._meant(name, module) if inner == "__init__"), "")
            case ast.Subscript(value=holder):
                return self._type(holder, known, module).removesuffix("s") if isinstance(holder, ast.Attribute) else ""
            case _:
                return ""


def _arguments(body: ast.FunctionDef) -> dict[str, str]:
    """The types of a function's arguments, and of those of the functions inside it."""
    return {one.arg: name for one in ast.walk(body) if isinstance(one, ast.arg) and (name := _named(one.annotation))}


def _assigned(body: ast.FunctionDef) -> Iterator[tuple[str, ast.expr]]:
    """The names that are given a value, one by one."""
    for one in ast.walk(body):
        if isinstance(one, ast.Assign):
            target, value = one.targets[0], one.value
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=True))
            yield from ((name.id, given) for name, given in pairs if isinstance(name, ast.Name))


def _named(annotation: ast.expr | None) -> str:
    """The plain name of a type; `Engine` is what web calls the services."""
    match annotation:
        case ast.Name(id="Engine"):
            return "Services"
        case ast.Name(id=name):
            return name
        case ast.Constant(value=str(name)):
            return name
        case _:
            return ""


def operations(body: ast.FunctionDef) -> Iterator[str]:
    """The AWS operations that a piece of an adapter asks for, in boto's words."""
    clients = {name for name, value in _assigned(body) if _is_client(value)}
    for one in ast.walk(body):
        if isinstance(one, ast.Attribute) and one.attr != "exceptions":
            named = isinstance(one.value, ast.Name) and one.value.id in clients
            if named or _is_client(one.value):
                yield one.attr


def texts(body: ast.FunctionDef) -> set[str]:
    """Every string written out in it."""
    return {one.value for one in ast.walk(body) if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def _is_client(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id in ("client", "patient_client")
    )
