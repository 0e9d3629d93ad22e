"""A judge that sees what a picture was painted with, and candidates to show it."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import JudgeError
from anomalylmm.protocols import Views
from anomalylmm.query.lexicon import Lexicon
from anomalylmm.query.masking import mask_query
from anomalylmm.records import Candidate, Image, Query
from anomalylmm.rerank.prompts import PAIR_ANSWERS

LEXICON = Lexicon.load()


def paint(number: int) -> Image:
    """Paints a picture whose first pixel is its number."""
    image = np.full((24, 16, 3), 90, dtype=np.uint8)
    image[12:, :8] = (150, 60, 60)  # a picture that shows colors
    image[0, 0] = number
    return image


def query_of(text: str, *, accept: float = 0.5, top_n: int = 10) -> Query:
    """Builds a query as the sweep would."""
    return Query(name="q", text=text, cloze=mask_query(text, LEXICON), version="v", accept=accept, top_n=top_n)


def candidate_of(rank: int, *numbers: int) -> Candidate:
    """Builds the candidate of a rank from the numbers of its pictures."""
    return Candidate(
        tracklet_id=f"t{rank}",
        video_id="v",
        camera="c",
        crop_ids=tuple(f"{rank}-{n}" for n in numbers),
        best_crop_id=f"{rank}-0",
        shard_id="s",
        cosine=0.3,
        z_score=3.0 - rank,
        rank=rank,
        images=tuple(map(paint, numbers)),
    )


class ScriptedJudge:
    """Knows for each picture number the words that fill a cloze and the yes/no logit; counts what it is asked."""

    judge_id = "scripted"

    def __init__(
        self,
        script: dict[int, tuple[str, float]],
        *,
        max_views: int = 1,
        moment_way: str = "single",
        fails: Callable[[int], bool] = lambda number: False,
    ) -> None:
        self.script, self.max_views, self.fails = script, max_views, fails
        self.moment_way = moment_way
        self.seen: list[int] = []
        self.num_blind = 0

    def _entries(self, views: Sequence[Views]) -> list[tuple[str, float]]:
        numbers = [int(images[0][0, 0, 0]) for images in views]
        assert all(len(images) <= self.max_views for images in views)
        for number in numbers:
            if self.fails(number):
                raise JudgeError(f"no answer about {number}")
        self.seen += numbers
        return [self.script[number] for number in numbers]

    def complete(self, views: Sequence[Views], prompt: str) -> list[str]:
        return [words for words, _ in self._entries(views)]

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        return np.array([[_agreement(words, answer) for answer in answers] for words, _ in self._entries(views)])

    def score_answers_blind(self, prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        self.num_blind += 1
        return np.full(len(answers), -4.0)

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        return np.array([logit for _, logit in self._entries(views)])


class PairJudge(ScriptedJudge):
    """Also compares two pictures: by the strength of each number, with a liking for what is shown first."""

    def __init__(self, script, strength: dict[int, float], *, liking: float = 0.0, **more) -> None:
        super().__init__(script, max_views=2, **more)
        self.strength, self.liking = strength, liking
        self.pairs: list[tuple[int, int]] = []

    def score_answers(self, views: Sequence[Views], prompt: str, answers: Sequence[str]) -> NDArray[np.float64]:
        if tuple(answers) != PAIR_ANSWERS:
            return super().score_answers(views, prompt, answers)
        numbers = [tuple(int(image[0, 0, 0]) for image in images) for images in views]
        for pair in numbers:
            if any(map(self.fails, pair)):
                raise JudgeError(f"no answer about {pair}")
        self.pairs += numbers
        return np.array([[self.strength[one] + self.liking, self.strength[two]] for one, two in numbers])


class FacetJudge(ScriptedJudge):
    """Answers yes-or-no questions by the words they hold, and writes what it is told to."""

    def __init__(self, script, yes: dict[str, float], written: str = "") -> None:
        super().__init__(script)
        self.yes, self.written = yes, written
        self.asked: list[str] = []

    def affirm(self, views: Sequence[Views], prompt: str) -> NDArray[np.float64]:
        self._entries(views)
        self.asked.append(prompt)
        return np.full(len(views), next((logit for words, logit in self.yes.items() if words in prompt), 0.0))

    def complete(self, views: Sequence[Views], prompt: str) -> list[str]:
        self.asked.append(prompt)
        return [self.written for _ in views]


class DictCache:
    """A cache in memory; empty it is false, and used all the same."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, object]] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def get_many(self, keys):
        return {key: self.rows[key] for key in keys if key in self.rows}

    def put_many(self, rows):
        self.rows |= {key: dict(row) for key, row in rows.items()}


def _agreement(words: str, answer: str) -> float:
    pairs = zip(words.split(", "), answer.split(", "), strict=False)
    return -4.0 * sum(seen != said for seen, said in pairs)
