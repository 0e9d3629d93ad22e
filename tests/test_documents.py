"""What the documents name is there: files, functions, pages and sections."""

import ast
import re
from pathlib import Path

TOP = Path(__file__).parents[1]
DOCUMENTS = ["README.md", "ARCHITECTURE.md", *(str(path.relative_to(TOP)) for path in sorted(TOP.glob("docs/**/*.md")))]
FOLDERS = ("anomalylmm", "benchmarks", "configs", "docs", "flows", "scripts", "storage", "tests")
FUNCTION = re.compile(r"`([\w.]+)`(?: and `([\w.]+)`)? in `([\w/]+\.py)`")
FILE = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def names_in(path: str) -> set[str]:
    """The functions, classes and methods of a module; methods as ``Class.method``."""
    tops = [node for node in ast.parse((TOP / path).read_text()).body if hasattr(node, "name")]
    inside = [(top, node) for top in tops for node in getattr(top, "body", ()) if hasattr(node, "name")]
    return {top.name for top in tops} | {f"{top.name}.{node.name}" for top, node in inside}


def sections_of(path: Path) -> set[str]:
    """The sections of a page as GitHub names them in links."""
    heads = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_the_ways_of_a_frame_and_a_query_name_functions_that_exist() -> None:
    named = FUNCTION.findall((TOP / "ARCHITECTURE.md").read_text())
    assert len(named) >= 15
    for *names, path in named:
        assert {name for name in names if name} <= names_in(path), path


def test_files_and_links_of_the_documents_lead_somewhere() -> None:
    lost = []
    for document in map(TOP.joinpath, DOCUMENTS):
        text = document.read_text()
        lost += [(document.name, path) for path in FILE.findall(text) if not (TOP / path).exists()]
        for target, section in LINK.findall(text):
            page = document.parent / target if target else document
            is_known = page.exists() and (not section or page.suffix != ".md" or section in sections_of(page))
            lost += [] if is_known else [(document.name, f"{target}#{section}")]
    assert lost == []
