"""The second door for other systems: the same operations and rows as REST, asked for in a query."""
