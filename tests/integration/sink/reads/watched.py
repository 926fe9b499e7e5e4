"""A connection under the read API's questions that looks at the plan of each statement before it runs it."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg

Plan = dict[str, Any]
GROWING = {
    "conversations",
    "conversation_turns",
    "insights",
    "current_outcomes",
    "completions",
    "rollup_minutes",
    "rollup_status_minutes",
}


@dataclass
class Watched:
    """A connection that explains what it is asked before it answers."""

    connection: asyncpg.Connection
    problems: list[str] = field(default_factory=list)
    asked: str = ""
    bar: int = 0
    most_buffers: int = 0

    async def fetch(self, query: str, *values: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - as asyncpg's
        await self._explain(query, values)
        return await self.connection.fetch(query, *values, timeout=timeout)

    async def fetchrow(self, query: str, *values: Any) -> Any:
        await self._explain(query, values)
        return await self.connection.fetchrow(query, *values)

    async def fetchval(self, query: str, *values: Any) -> Any:
        await self._explain(query, values)
        return await self.connection.fetchval(query, *values)

    async def execute(self, query: str) -> None:
        """A setting."""
        await self.connection.execute(query)

    def transaction(self) -> Any:
        return self.connection.transaction()

    async def cursor(self, query: str, *values: Any, prefetch: int) -> AsyncIterator[Any]:
        await self._explain(query, values)
        async for row in self.connection.cursor(query, *values, prefetch=prefetch):
            yield row

    async def _explain(self, query: str, values: tuple[Any, ...]) -> None:
        if query.startswith("EXPLAIN"):
            return
        plan = await self._plan_of(query, values)
        for node in nodes(plan):
            if node["Node Type"] == "Seq Scan" and node["Actual Loops"] and node.get("Relation Name") in GROWING:
                self.problems.append(f"{self.asked}: sequential scan on {node['Relation Name']}")
        buffers = buffers_of(plan)
        self.most_buffers = max(self.most_buffers, buffers)
        if buffers > self.bar:
            self.problems.append(
                f"{self.asked}: {buffers} buffers, at most {self.bar}: {' '.join(query.split())[-400:]}"
            )

    async def _plan_of(self, query: str, values: tuple[Any, ...]) -> Plan:
        """Of a statement that is planned once for all values: that plan, and not one for these."""
        explain = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON)"
        if await self.connection.fetchval("SHOW plan_cache_mode") != "force_generic_plan":
            text = await self.connection.fetchval(f"{explain} {query}", *values)
        else:
            await self.connection.execute(f"PREPARE asked AS {query}")
            literals = ", ".join(map(literal, values))
            text = await self.connection.fetchval(f"{explain} EXECUTE asked {f'({literals})' if values else ''}")
            await self.connection.execute("DEALLOCATE asked")
        plan: Plan = json.loads(text)[0]["Plan"]
        return plan

    async def forget_settings(self) -> None:
        """As the end of a question's own transaction would."""
        await self.connection.execute("SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = on")


def literal(value: Any) -> str:
    """As SQL has it."""
    if isinstance(value, int):
        return str(value)
    text = "{" + ",".join(map(str, value)) + "}" if isinstance(value, list) else str(value)
    assert "'" not in text
    return f"'{text}'"


def nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def buffers_of(node: Plan) -> int:
    return int(node["Shared Hit Blocks"] + node["Shared Read Blocks"])
