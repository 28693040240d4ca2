"""What a statement says, as DuckDB's parser reads it: is it one that only reads, and which tables does it name."""

import json
from typing import Any

from quintet.adapters.duckdb_fence import SqlFault, message_of

LONGEST_SQL = 100_000


def only_select(duckdb: Any, sql: str) -> str:
    """The query, when it is one and only reads. Raises SqlFault."""
    if len(sql) > LONGEST_SQL:
        raise SqlFault("BadSql", f"sql may have at most {LONGEST_SQL} characters")
    try:
        statements = duckdb.extract_statements(sql)
    except (duckdb.Error, RuntimeError) as error:
        raise SqlFault("BadSql", message_of(error)) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise SqlFault("BadSql", "sql must be one SELECT (WITH, FROM and VALUES too)")
    query: str = statements[0].query
    return query.strip().rstrip(";")


def tables_of(connection: Any, query: str) -> set[str]:
    """The names of the tables that a query reads, in lower case, without those that it makes itself (WITH). Raises SqlFault."""
    [(text,)] = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchall()
    try:
        pending: list[Any] = [json.loads(text)]
    except RecursionError:
        raise SqlFault("BadSql", "sql is nested too deeply") from None
    named: set[str] = set()
    made: set[str] = set()
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if node.get("type") == "BASE_TABLE":
                named.add(str(node["table_name"]).lower())
            made |= {str(one["key"]).lower() for one in (node.get("cte_map") or {}).get("map", ())}
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return named - made
