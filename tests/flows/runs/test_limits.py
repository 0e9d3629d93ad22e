"""Hard limits for SQL."""

import subprocess
import sys

HEAD = "import sys, time, flows.runs.limits as limits; limits.GRACE_SECONDS = 0.2; limits.SPARE_BYTES = 64 << 20\n"


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", HEAD + code], capture_output=True, text=True, check=False, timeout=60)


def test_a_timeout_exits_the_program_with_a_message() -> None:
    ran = run("with limits.hard_limits(0.1, 0): time.sleep(50)")
    assert ran.returncode == 2
    assert "--timeout" in ran.stderr


def test_work_that_ends_in_time_is_not_interrupted() -> None:
    assert run("with limits.hard_limits(0.1, 0): pass\ntime.sleep(0.6)\nprint('done')").stdout == "done\n"


def test_memory_is_limited_only_while_the_query_runs() -> None:
    code = """
with limits.hard_limits(0, 10_000_000):
    try: bytearray(400 << 20)
    except MemoryError: print("refused")
print(len(bytearray(400 << 20)))
"""
    assert run(code).stdout.split() == ["refused", str(400 << 20)]
