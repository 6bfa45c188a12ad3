"""Tables that are larger than the memory that they may take."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

PROGRAM = """
import asyncio, json, sys
from pathlib import Path
from runtime.nodes.context import Alone, result_of
from pocketflow_otel.runtime.nodes.sql_query import NODE_TYPE as QUERY
from pocketflow_otel.runtime.nodes.table_read import NODE_TYPE as READ
from pocketflow_otel.runtime.nodes.table_write import NODE_TYPE as WRITE

def most_bytes():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

async def main():
    alone = Alone(Path(sys.argv[1]))
    read = await result_of(READ, alone, path="large.csv")
    told = {"rows": read["rows"], "file": read["table"].nbytes, "read": most_bytes()}
    summed = await result_of(QUERY, alone, memory_bytes=200_000_000, tables={"t": read["table"]},
        sql="SELECT customer, count(*) AS n, sum(id) AS total FROM t GROUP BY customer ORDER BY customer")
    told |= {"first": summed["first"], "groups": summed["rows"], "queried": most_bytes()}
    for name in ("large.parquet", "again.csv"):
        await result_of(WRITE, alone, data=read["table"], path=name)
    print(json.dumps(told | {"written": most_bytes()}))

asyncio.run(main())
"""
ROWS = 9_000_000


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the most memory that was used stands in /proc")
def test_a_table_of_a_gigabyte_goes_through_in_less_than_half_of_it(tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    duckdb.sql(
        f"COPY (SELECT i AS id, i * 1.5 AS amount, 'customer number ' || (i % 1000) AS customer,"
        f" TIMESTAMP '2024-01-01' + INTERVAL (i) SECOND AS time, repeat('x', 40) AS padding"
        f" FROM range({ROWS}) AS r(i)) TO '{large}'"
    )
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["rows"], told["groups"]) == (ROWS, 1000)
    assert told["first"] == {"customer": "customer number 0", "n": 9000, "total": sum(range(0, ROWS, 1000))}
    assert large.stat().st_size > 850_000_000
    assert told["file"] > 800_000_000
    assert (tmp_path / "again.csv").stat().st_size > 850_000_000
    assert max(told["read"], told["queried"], told["written"]) < 400_000_000, told
