"""Small classifiers that turn descriptions of bodies into probabilities of behaviors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ShapeError, WeightsError
from anomalylmm.posture.classes import EVENTS, STILLS
from anomalylmm.posture.features import NUM_FEATURES, describe_bodies
from anomalylmm.posture.windows import WINDOW_FEATURES, describe_windows
from anomalylmm.records import Floats

CLIP = 6.0  # standard deviations
SEQUENCE = "sequence."  # begins the names of the sequence head's arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class Perceptrons:
    """A few perceptrons over the same standardized features."""

    mean: Floats = field(repr=False)  # (F,)
    scale: Floats = field(repr=False)  # (F,)
    # of each member its layers: weights (out, in), biases (out,)
    members: tuple[tuple[tuple[Floats, Floats], ...], ...] = field(repr=False)

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Floats], inputs: int, outputs: int) -> "Perceptrons":
        """Builds them from named arrays: ``mean``, ``scale``, ``<member>.<layer>.weight`` and ``.bias``.

        Raises:
            WeightsError: An array is missing, or has another shape than this version's features and classes ask for.
        """
        try:
            members = tuple(_layers(arrays, number) for number in range(count_members(arrays)))
            made = cls(mean=arrays["mean"], scale=arrays["scale"], members=members)
        except KeyError as error:
            raise WeightsError(f"the posture head has no array {error}; use the one that this version ships") from error
        for member in members:
            sizes = {len(made.mean), len(made.scale), member[0][0].shape[1]}, member[-1][0].shape[0]
            if sizes != ({inputs}, outputs):
                raise WeightsError(
                    f"the posture head reads {min(sizes[0])} numbers and knows {sizes[1]} behaviors, but this version "
                    f"has {inputs} and {outputs}; use the head that this version ships"
                )
        return made

    def logits(self, features: Floats) -> NDArray[np.float64]:
        """Returns the logits (M, N, O) of each of M members for features (N, F).

        Raises:
            ShapeError: The features are not (N, F).
        """
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ShapeError.of("features", f"(N, {len(self.mean)})", features.shape)
        standard = np.clip((features - self.mean) / self.scale, -CLIP, CLIP)
        return np.stack([_forward(member, standard) for member in self.members])


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceHead:
    """Reads what a person does around each moment from the joints of three seconds."""

    perceptrons: Perceptrons

    def read(self, pts_seconds: NDArray[np.floating], keypoints: Floats, stills: Floats) -> Floats:
        """Returns the probabilities of ``STILLS`` and ``EVENTS`` at each moment of one person; shape (T, C + E).

        Args:
            pts_seconds: (T,), rising.
            keypoints: (T, 17, 3): x and y in pixels, score.
            stills: (T, C), the probabilities of ``STILLS`` at each moment by itself.
        """
        logits = self.perceptrons.logits(describe_windows(pts_seconds, keypoints, stills))
        number = len(STILLS)
        read = np.concatenate([_softmax(logits[..., :number]), 1 / (1 + np.exp(-logits[..., number:]))], axis=2)
        return np.asarray(read.mean(axis=0), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostureHead:
    """Reads postures from joints: of one moment, and with a sequence head of the moments around it."""

    perceptrons: Perceptrons
    sequence: SequenceHead | None = None

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Floats]) -> "PostureHead":
        """Builds it from named arrays; those of the sequence head, if there is one, begin with ``sequence.``.

        Raises:
            WeightsError: An array is missing, or has another shape than this version's features and classes ask for.
        """
        later = {name.removeprefix(SEQUENCE): value for name, value in arrays.items() if name.startswith(SEQUENCE)}
        made = Perceptrons.of_arrays(arrays, NUM_FEATURES, len(STILLS))
        if not later:
            return cls(perceptrons=made)
        outputs = len(STILLS) + len(EVENTS)
        return cls(
            perceptrons=made,
            sequence=SequenceHead(perceptrons=Perceptrons.of_arrays(later, WINDOW_FEATURES, outputs)),
        )

    def read(self, keypoints: Floats) -> Floats:
        """Returns the probabilities of ``STILLS`` for the N persons of one frame, (N, 17, 3); shape (N, C).

        Raises:
            ShapeError: There are not 17 joints of x, y and score for each person.
        """
        return self.classify(describe_bodies(keypoints))

    def classify(self, features: Floats) -> Floats:
        """Returns the probabilities of ``STILLS`` for described bodies (N, F); shape (N, C).

        Raises:
            ShapeError: The features are not (N, F).
        """
        return np.asarray(_softmax(self.perceptrons.logits(features)).mean(axis=0), np.float32)


def count_members(arrays: Mapping[str, Floats]) -> int:
    """Counts the perceptrons whose arrays are there; at least one."""
    return max((int(name.split(".")[0]) + 1 for name in arrays if name[0].isdigit()), default=1)


def _layers(arrays: Mapping[str, Floats], member: int) -> tuple[tuple[Floats, Floats], ...]:
    numbers = sorted({int(name.split(".")[1]) for name in arrays if name.startswith(f"{member}.")}) or [0]
    return tuple((arrays[f"{member}.{layer}.weight"], arrays[f"{member}.{layer}.bias"]) for layer in numbers)


def _forward(layers: Sequence[tuple[Floats, Floats]], values: NDArray[np.floating]) -> NDArray[np.float64]:
    for weight, bias in layers[:-1]:
        values = np.maximum(_multiply(values, weight) + bias, 0)
    weight, bias = layers[-1]
    return np.asarray(_multiply(values, weight) + bias, np.float64)


def _multiply(values: NDArray[np.floating], weight: Floats) -> NDArray[np.floating]:
    """Multiplies each row of (N, in) by the weights (out, in), one row at a time; shape (N, out).

    All rows at once are so many numbers that BLAS divides them among its threads, which wait for each other longer
    than they work: 16 ms of the processor for 36 rows in place of 0.4.
    """
    return np.asarray((values[:, None] @ weight.T)[:, 0])


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
