"""One order and one set of names for a graph, because tf2onnx gives others each time, and the file would have other bytes."""

from __future__ import annotations

import hashlib
from typing import Any


def put_in_order(graph: Any, *, name: str) -> None:
    """Sort nodes by depth, then by what they compute; number them, their tensors and the constants in that order.

    Args:
        graph: An `onnx.GraphProto`, sorted topologically, without subgraphs; it is changed in place.
        name: Name of the graph. Inputs and outputs keep their names; their free sizes are called N.
    """
    public = {tensor.name: tensor.name for tensor in [*graph.input, *graph.output]}
    # Of each tensor, a hash of what computes it; "" is an optional input that is absent.
    meaning = {name: name for name in ["", *public]}
    depth = dict.fromkeys(meaning, 0)
    for constant in graph.initializer:
        unnamed = type(constant)()
        unnamed.CopyFrom(constant)
        unnamed.name = ""
        meaning[constant.name], depth[constant.name] = _digest(unnamed.SerializeToString(deterministic=True)), 0
    keys: list[tuple[int, str, int]] = []
    for node in graph.node:
        attributes = sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute)
        inputs = [meaning[tensor].encode() for tensor in node.input]
        computed = _digest(node.op_type.encode(), *attributes, *inputs)
        level = 1 + max((depth[tensor] for tensor in node.input), default=0)
        for place, tensor in enumerate(node.output):
            meaning[tensor], depth[tensor] = f"{computed} {place}", level
        keys.append((level, computed, len(keys)))
    nodes = [graph.node[number] for _, _, number in sorted(keys)]
    names = {"": "", **public}
    for number, node in enumerate(nodes):
        node.name = f"{node.op_type}_{number}"
        for tensors in (node.input, node.output):
            tensors[:] = [names.setdefault(tensor, f"tensor_{len(names)}") for tensor in tensors]
    constants = {names[constant.name]: constant for constant in graph.initializer if constant.name in names}
    for constant_name, constant in constants.items():
        constant.name = constant_name
    used = [constants[constant_name] for constant_name in names.values() if constant_name in constants]
    _replace(graph.node, nodes)
    _replace(graph.initializer, used)
    del graph.value_info[:]
    for tensor in [*graph.input, *graph.output]:
        for size in tensor.type.tensor_type.shape.dim:
            if size.dim_param:
                size.dim_param = "N"
    graph.name, graph.doc_string = name, ""


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _replace(field: Any, messages: list[Any]) -> None:
    """Replace the messages of a repeated field."""
    data = [message.SerializeToString() for message in messages]
    del field[:]
    for message in data:
        field.add().ParseFromString(message)
