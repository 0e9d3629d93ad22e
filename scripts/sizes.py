"""Fails where a file escapes 350 lines or a function 40; prints the longest of each."""

import ast
import sys
from pathlib import Path

MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 40
FOLDERS = ("anomalylmm", "storage", "flows", "benchmarks", "tests", "scripts")


def functions(path: Path) -> list[tuple[int, str]]:
    """Lists (lines of code, where) for each function of a file; its docstring does not count."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1].lineno if ast.get_docstring(node) and len(node.body) > 1 else node.body[0].lineno
            found.append((1 + (node.end_lineno or first) - first, f"{path}:{node.lineno} {node.name}"))
    return found


def main() -> int:
    """Prints the longest file and function and what is over the limits."""
    paths = sorted(path for folder in FOLDERS for path in Path(folder).rglob("*.py"))
    files = [(len(path.read_text(encoding="utf-8").splitlines()), str(path)) for path in paths]
    inside = sorted((item for path in paths for item in functions(path)), reverse=True)
    over = [item for item in files if item[0] > MAX_FILE_LINES]
    over += [item for item in inside if item[0] > MAX_FUNCTION_LINES]
    median = sorted(length for length, _ in inside)[len(inside) // 2] if inside else 0
    sys.stdout.write(f"longest file {max(files)}, longest function {max(inside)}, median function {median} lines\n")
    for length, where in over:
        sys.stdout.write(f"too long: {where} has {length} lines\n")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
