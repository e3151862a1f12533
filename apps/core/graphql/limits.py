"""What a query may ask for, measured on its text before anything is read.

The cost of an operation is the number of values that its answer can hold at most, plus what each
statement and each command weighs. It is known from the schema, the `limit` arguments and the
variables alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    VariableNode,
    get_named_type,
)

from apps.core.errors import InvalidInput
from apps.core.graphql.queries import MOST_AT_ONCE
from apps.core.rows.listing import DEFAULT_LIMIT

LONGEST_QUERY = 10_000
MOST_TOKENS = 2_000
MOST_FIELDS = 250
MOST_ALIASES = 30
MOST_ROOTS = 20
DEEPEST = 12
DEAREST = 20_000
LARGEST_BATCH = 10

LONGEST_NUMBER = 9
STATEMENT = 100
COMMAND = 500


class QueryTooCostly(InvalidInput):
    """The query asks for more than the platform answers at once."""

    reason = "query_too_costly"

    @classmethod
    def of(cls, what: str, found: int, allowed: int) -> QueryTooCostly:
        """The refusal that says what is too much, and how much is allowed."""
        sentence = f"The {what} is {found}; at most {allowed} is allowed."
        return cls(sentence, measured=what, found=found, allowed=allowed)


@dataclass(frozen=True)
class Measure:
    """How much some selections ask for; `roots` counts the fields that stand in them directly."""

    cost: int = 0
    roots: int = 0
    depth: int = 0
    fields: int = 0
    aliases: int = 0

    def beside(self, other: Measure) -> Measure:
        """Both, side by side."""
        return Measure(
            self.cost + other.cost,
            self.roots + other.roots,
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.aliases + other.aliases,
        )


class _Measuring:
    """Measures one operation of a document for one set of variables."""

    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]
    ) -> None:
        self.schema = schema
        self.variables = variables
        self.fragments = {
            one.name.value: one
            for one in document.definitions
            if isinstance(one, FragmentDefinitionNode)
        }
        self.known: dict[str, Measure] = {}
        self.open: set[str] = set()

    def operation(self, node: OperationDefinitionNode) -> Measure:
        """The measure of an operation."""
        root = self.schema.get_root_type(node.operation)
        found = self.selections(node.selection_set.selections, root)
        weight = COMMAND if node.operation == OperationType.MUTATION else STATEMENT
        return found.beside(Measure(cost=weight * found.roots))

    def selections(self, nodes: Iterable[SelectionNode], parent: Any) -> Measure:
        """The measure of what is selected of a type."""
        total = Measure()
        for node in nodes:
            total = total.beside(self.selection(node, parent))
            if total.fields > MOST_FIELDS:
                raise QueryTooCostly.of("number of fields", total.fields, MOST_FIELDS)
        return total

    def selection(self, node: SelectionNode, parent: Any) -> Measure:
        """The measure of one selection."""
        if isinstance(node, FieldNode):
            return self.field(node, parent)
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition
            inner = self.schema.type_map.get(condition.name.value) if condition else parent
            return self.selections(node.selection_set.selections, inner)
        assert isinstance(node, FragmentSpreadNode)
        return self.fragment(node.name.value)

    def fragment(self, name: str) -> Measure:
        """The measure of a named fragment, taken once."""
        if name in self.known:
            return self.known[name]
        if name in self.open:
            raise InvalidInput(
                f"The fragment {name} contains itself.", reason="fragment_in_a_circle"
            )
        found = self.fragments.get(name)
        if found is None:
            return Measure()
        self.open.add(name)
        parent = self.schema.type_map.get(found.type_condition.name.value)
        self.known[name] = self.selections(found.selection_set.selections, parent)
        self.open.discard(name)
        return self.known[name]

    def field(self, node: FieldNode, parent: Any) -> Measure:
        """The measure of a field and all below it, as often as it can occur."""
        if node.name.value.startswith("__"):
            return Measure(fields=1)
        definition = (
            parent.fields.get(node.name.value) if isinstance(parent, GraphQLObjectType) else None
        )
        below = Measure()
        if node.selection_set is not None:
            inner = get_named_type(definition.type) if definition else None
            below = self.selections(node.selection_set.selections, inner)
        times = self.times(node, definition) if definition else 1
        return Measure(
            cost=1 + below.cost * times,
            roots=1,
            depth=1 + below.depth,
            fields=1 + below.fields,
            aliases=below.aliases + (node.alias is not None),
        )

    def times(self, node: FieldNode, definition: GraphQLField) -> int:
        """How many rows a field can have."""
        if "limit" not in definition.args:
            return 1
        for argument in node.arguments:
            if argument.name.value == "limit":
                value = argument.value
                if isinstance(value, IntValueNode):
                    return max(1, int(value.value[:LONGEST_NUMBER]))
                if isinstance(value, VariableNode):
                    stated = self.variables.get(value.name.value)
                    return max(1, stated) if isinstance(stated, int) else DEFAULT_LIMIT
        kind = definition.type
        kind = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        return MOST_AT_ONCE if isinstance(kind, GraphQLList) else DEFAULT_LIMIT


def cost_of(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> int:
    """What an operation costs at most. Raises QueryTooCostly, InvalidInput.

    Works on any parsed document, also on one that the schema does not allow.
    """
    measured = _Measuring(schema, document, variables).operation(operation)
    for what, found, allowed in (
        ("number of fields at the top", measured.roots, MOST_ROOTS),
        ("depth", measured.depth, DEEPEST),
        ("number of aliases", measured.aliases, MOST_ALIASES),
        ("cost", measured.cost, DEAREST),
    ):
        if found > allowed:
            raise QueryTooCostly.of(what, found, allowed)
    return measured.cost
