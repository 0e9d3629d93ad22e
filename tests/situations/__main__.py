"""Prints the table of situations: ``python -m tests.situations [WORDS ...] [--code CHECKOUT]``."""

import argparse
import importlib
import pkgutil
import tempfile
from pathlib import Path

from tests import situations
from tests.situations.place import Observed, Place, Situation

HERE = Path(__file__).resolve().parents[2]


def find_situations() -> list[tuple[str, Situation]]:
    """Returns every situation of this package with its module's name, in order."""
    found = []
    for info in pkgutil.iter_modules(situations.__path__):
        if info.name != "__main__":
            module = importlib.import_module(f"{situations.__name__}.{info.name}")
            found += [(info.name, item) for item in vars(module).values() if isinstance(item, Situation)]
    return found


def examine(item: Situation, code: Path) -> Observed:
    """Tries one situation in a new folder; an exception of the situation is an observation, too."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return item.examine(Place(folder=Path(folder), code=code))
        except Exception as error:  # noqa: BLE001 - older code may fail in any way
            return Observed(text=f"{type(error).__name__}: {error}", right=False)


def main() -> int:
    """Tries the situations whose module or name contains a word; exit code 1 if one is not as expected."""
    parser = argparse.ArgumentParser(prog="python -m tests.situations", description=main.__doc__)
    parser.add_argument("words", nargs="*", help="only situations whose module or name contains one of these")
    parser.add_argument("--code", type=Path, default=HERE, help="another checkout whose commands are tried")
    chosen = parser.parse_args()
    wrong = 0
    print("| situation | expected | observed | as expected |\n|---|---|---|---|")
    for module, item in find_situations():
        if chosen.words and not any(word in f"{module} {item.name}" for word in chosen.words):
            continue
        seen = examine(item, chosen.code.resolve())
        wrong += not seen.right
        text = seen.text.replace("|", "\\|").replace("\n", " ")
        print(f"| {module}: {item.name} | {item.expected} | {text} | {'yes' if seen.right else 'NO'} |", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
