"""The nodes of an ONNX graph from its input to its output: a chain whose links may be joins.

A join, Add or Concat, takes several results; the branches to these begin where all of them
come from. Found from the end: the node that gave a value, then the one that gave its input.
Names tell nothing; what a node computes is all that counts.
"""

from typing import Any, NamedTuple


class Node(NamedTuple):
    """One node of the chain."""

    op: str
    name: str
    attributes: dict[str, Any]
    constants: list[Any]  # its further inputs, arrays, in order
    shape: tuple[int | None, ...]  # of what it gets, as far as the file says; the batch is None
    branches: tuple[list["Node"], ...] = ()  # of a join: the nodes of each; none where it takes the value itself

    def refuse(self, why: str) -> ValueError:
        return ValueError(f"the node {self.name} ({self.op}) {why}")


JOINS = ("Add", "Concat")


def nodes(onnx: Any, graph: Any) -> list[Node]:
    """From the input to the output; refused where a node leaves the chain."""
    return _Graph(onnx, graph).chain()


class _Graph:
    def __init__(self, onnx: Any, graph: Any):
        to_array = onnx.numpy_helper.to_array
        constants = {tensor.name: to_array(tensor) for tensor in graph.initializer}
        shapes = {info.name: shape_of(info) for info in (*graph.input, *graph.value_info)}
        inputs = [info.name for info in graph.input if info.name not in constants]
        if len(inputs) != 1 or not graph.output:
            raise ValueError(
                f"expected a chain from one input to one output, found the inputs {', '.join(inputs) or 'none'}."
            )
        self.outputs = [info.name for info in graph.output]
        self.input = inputs[0]
        self.givers: dict[str, tuple[Node, list[str]]] = {}  # value -> the node that gives it, and what that takes
        # Each value -> the nearest before it that all its ways from the input pass through,
        # and how many such there are.
        self.before: dict[str, str] = {self.input: self.input}
        self.depth = {self.input: 0}
        for node in graph.node:
            name = node.name or node.output[0]
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant" and "value" in attributes:
                constants[node.output[0]] = to_array(attributes["value"])
                continue
            if node.op_type == "Transpose" and node.input[0] in constants:
                constants[node.output[0]] = constants[node.input[0]].transpose(attributes.get("perm"))
                continue
            taken = [given for given in node.input if given and given not in constants]
            unknown = [value for value in taken if value not in self.depth]
            if not taken or unknown or (len(taken) > 1 and node.op_type not in JOINS):
                takes = ", ".join(taken) or "constants alone"
                raise ValueError(
                    f"the node {name} ({node.op_type}) leaves the chain: it takes {takes}; expected one result of a "
                    f"node before it, and constants. {' and '.join(JOINS)} may take several."
                )
            further = [constants[given] for given in node.input if given in constants]
            given = Node(node.op_type, name, attributes, further, shapes.get(taken[0], ()))
            self.add(node.output[0], given, taken)

    def add(self, value: str, giver: Node, taken: list[str]) -> None:
        self.givers[value] = giver, taken
        fork = taken[0]
        for other in taken[1:]:
            fork = self.meet(fork, other)
        self.before[value] = fork
        self.depth[value] = self.depth[fork] + 1

    def meet(self, one: str, other: str) -> str:
        """The nearest value that all ways to both pass through."""
        while one != other:
            if self.depth[one] > self.depth[other]:
                one = self.before[one]
            else:
                other = self.before[other]
        return one

    def chain(self) -> list[Node]:
        if len(self.outputs) > 1 or self.outputs[0] not in self.depth:
            raise ValueError(f"expected one output at the chain's end, found {', '.join(self.outputs)}.")
        used: set[str] = set()
        found = self.between(self.input, self.outputs[0], used)
        for value, (node, _) in self.givers.items():
            if value not in used:
                raise node.refuse("leaves the chain: the output does not depend on it.")
        return found

    def between(self, start: str, value: str, used: set[str]) -> list[Node]:
        """The nodes that make `value` of `start`, in order."""
        found: list[Node] = []
        while value != start:
            node, taken = self.givers[value]
            if value in used:
                raise node.refuse("leaves the chain: two branches of one join go through it.")
            used.add(value)
            fork = self.before[value]
            if len(taken) > 1 or node.op == "Concat":
                node = node._replace(branches=tuple(self.between(fork, end, used) for end in taken))
            found.append(node)
            value = fork
        return found[::-1]


def shape_of(info: Any) -> tuple[int | None, ...]:
    sizes = info.type.tensor_type.shape.dim
    return tuple(None if k == 0 or not size.HasField("dim_value") else size.dim_value for k, size in enumerate(sizes))
