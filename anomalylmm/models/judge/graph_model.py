"""Runs the graphs of a judge: pictures to image tokens, and a language model that reads on behind kept ones."""

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from anomalylmm.errors import WeightsError
from anomalylmm.models.judge.answer_tree import AnswerTree
from anomalylmm.models.judge.picture_memory import PictureMemory
from anomalylmm.models.onnx.graphs import WEIGHTS_FILE, Graph
from anomalylmm.models.onnx.pixels import PixelReader
from anomalylmm.models.weights import ResolvedWeights
from anomalylmm.protocols import Views
from anomalylmm.records import Floats, Image
from anomalylmm.rerank.evidence import digest_image

MAX_STATE_BYTES = 192 << 20  # of what the language model made of pictures: 0.3 MB a picture of the pocket judge
MAX_TOKEN_BYTES = 64 << 20  # of image tokens: 0.05 MB a picture
Head = tuple[int, ...]  # the tokens of a question up to its last picture


class GraphModel:
    """The model of a judge. What it made of pictures is kept, since a sweep asks much about the same ones.

    Shapes: N candidates, L layers, B tokens of pictures and what stands before them, T tokens, V words.
    """

    def __init__(self, weights: ResolvedWeights, *, batch_size: int) -> None:
        """Loads the model.

        Raises:
            WeightsError: A file is missing or damaged, or a graph was written for other weights.
        """
        self._batch_size, self._reader = batch_size, PixelReader.of(weights)
        self._vision, self._language = Graph(weights, "vision"), Graph(weights, "language")
        self._embeddings = _read_embeddings(weights, self._language.notes.get("embeddings", ""))  # V,D
        config = json.loads((weights.path / "config.json").read_text(encoding="utf-8"))
        self.image_token, self.end_token = int(config["image_token_index"]), config.get("eos_token_id")
        self._tokens, self._states = PictureMemory(MAX_TOKEN_BYTES), PictureMemory(MAX_STATE_BYTES)

    def look(self, views: Sequence[Views], head: Head) -> Floats:
        """Keys and values of the pictures of N candidates, each with as many as the head; (N, 2 * L, heads, B, d)."""
        names = [tuple(map(digest_image, candidate)) for candidate in views]
        images = {
            name: image for own, shown in zip(names, views, strict=True) for name, image in zip(own, shown, strict=True)
        }

        def begin(missing: list[tuple[Head, tuple[str, ...]]]) -> Floats:
            shown = list(dict.fromkeys(name for _, own in missing for name in own))
            tokens = dict(zip(shown, self._tokens.recall(shown, lambda new: self._see(new, images)), strict=True))
            return self._begin(np.stack([self._embed(head, [tokens[name] for name in own]) for _, own in missing]))

        return np.stack(self._states.recall([(head, own) for own in names], begin))

    def forget(self) -> None:
        """Forgets what was made of pictures."""
        self._tokens.forget()
        self._states.forget()

    def read(self, states: Floats, tree: AnswerTree) -> Floats:
        """Log p (N, K, V) of the successors of the asked tokens of a question behind N candidates' pictures."""
        words = self._embeddings[list(tree.tokens)]
        return self._run(np.broadcast_to(words, (len(states), *words.shape)), tree, states)[0]

    def write(self, states: Floats, question: Sequence[int], most: int) -> list[list[int]]:
        """The likeliest tokens after a question, one by one up to the end token or ``most``, for N candidates."""
        written: list[list[int]] = [[] for _ in states]
        words = self._embeddings[list(question)]
        seen, tree = np.broadcast_to(words, (len(states), *words.shape)), AnswerTree.of(question, [])
        while written and len(max(written, key=len)) < most:
            logs, own = self._run(seen, tree, states)
            chosen = logs[:, 0].argmax(axis=1).tolist()
            ongoing = [number for number, tokens in enumerate(written) if self.end_token not in tokens]
            for number in ongoing:
                written[number].append(chosen[number])
            if all(chosen[number] == self.end_token for number in ongoing):
                break
            states = np.concatenate([states, own], axis=3)
            seen, tree = self._embeddings[chosen][:, None], AnswerTree.of([0], [])
        return written

    def _see(self, names: Sequence[str], images: Mapping[str, Image]) -> Iterator[Floats]:
        """Image tokens (P, D) of pictures by their names."""
        for start in range(0, len(names), self._batch_size):
            batch = [images[name] for name in names[start : start + self._batch_size]]
            yield from self._vision(pixels=self._reader.read(batch))[0]

    def _embed(self, head: Head, pictures: Sequence[Floats]) -> Floats:
        """Embeddings of a question's head with image tokens in place of pictures; (B, D)."""
        shown = iter(pictures)
        return np.concatenate(
            [next(shown) if token == self.image_token else self._embeddings[[token]] for token in head]
        )

    def _begin(self, seen: Floats) -> Floats:
        """Keys and values of N sequences of embeddings (N, B, D)."""
        layers, heads, size = (self._language.side("before", number) for number in (1, 2, 4))
        nothing = np.zeros((len(seen), layers, heads, 0, size), np.float32)
        return self._run(seen, AnswerTree.of(range(seen.shape[1]), []), nothing)[1]

    def _run(self, seen: Floats, tree: AnswerTree, before: Floats) -> tuple[Floats, Floats]:
        """Reads T embeddings (N, T, D) behind B tokens: logs (N, K, V), and keys and values of the T."""
        length = before.shape[3]
        logs, own = self._language(
            seen=np.ascontiguousarray(seen),
            positions=tree.depths + length,
            mask=tree.mask(length),
            before=before,
            asked=tree.asked,
        )
        return logs, own


def _read_embeddings(weights: ResolvedWeights, name: str) -> Floats:
    """The vectors of all words (V, D)."""
    from safetensors import SafetensorError, safe_open

    path = weights.path / WEIGHTS_FILE
    try:
        with safe_open(path, "np") as opened:
            return np.asarray(opened.get_tensor(name), np.float32)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} has no tensor {name!r}: {error}; download the model again") from error
