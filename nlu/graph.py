"""Rasa's engine around our components, as far as serving needs it: a sequential runner for a graph.

Dask, the stock runner, spends more time on scheduling than our components on working; a chain needs no scheduler.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rasa.engine.graph import ExecutionContext, GraphNode, GraphNodeHook, GraphSchema
from rasa.engine.runner.interface import GraphRunner
from rasa.engine.storage.storage import ModelStorage

PREDICT_INPUT: Final = "messages"
"""The placeholder that stands for the messages to understand."""


class SequentialRunner(GraphRunner):
    """Runs the nodes of a graph one after the other, in an order worked out once."""

    def __init__(self, schema: GraphSchema, nodes: dict[str, GraphNode]) -> None:
        self._schema = schema
        self._nodes = nodes
        self._order = _topological(schema)
        self._chain = self._as_chain()

    def _as_chain(self) -> list[tuple[str, Callable[[Any], Any]]] | None:
        """The methods of components that are loaded already and take each the result of the one before; None for another graph.

        Called without `GraphNode` around them, which sorts arguments, asks for hooks and writes two log lines that nobody reads.
        """
        chain, before = [], PREDICT_INPUT
        for name in self._order:
            node = self._schema.nodes[name]
            # Rasa has no public name for it.
            loaded = self._nodes[name]._component  # noqa: SLF001
            if loaded is None or list(node.needs.values()) != [before]:
                return None
            chain.append((name, getattr(loaded, node.fn)))
            before = name
        return chain

    @classmethod
    def create(
        cls,
        graph_schema: GraphSchema,
        model_storage: ModelStorage,
        execution_context: ExecutionContext,
        hooks: list[GraphNodeHook] | None = None,
    ) -> SequentialRunner:
        nodes = {
            name: GraphNode.from_schema_node(name, node, model_storage, execution_context, hooks)
            for name, node in graph_schema.nodes.items()
        }
        return cls(graph_schema, nodes)

    def run(self, inputs: dict[str, Any] | None = None, targets: list[str] | None = None) -> dict[str, Any]:
        """Return the results of the target nodes; `inputs` are given values for placeholders."""
        results: dict[str, Any] = dict(inputs or {})
        if self._chain is not None and results.keys() == {PREDICT_INPUT}:
            given = results[PREDICT_INPUT]
            for name, call in self._chain:
                given = results[name] = call(given)
        else:
            for name in self._order:
                needs = self._schema.nodes[name].needs.values()
                _, results[name] = self._nodes[name](*((need, results[need]) for need in needs))
        wanted = targets or self._schema.target_names
        return {name: results[name] for name in wanted}


def _topological(schema: GraphSchema) -> list[str]:
    order: list[str] = []

    def visit(name: str) -> None:
        if name in schema.nodes and name not in order:
            for need in schema.nodes[name].needs.values():
                visit(need)
            order.append(name)

    for name in schema.nodes:
        visit(name)
    return order
