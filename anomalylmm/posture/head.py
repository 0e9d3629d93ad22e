"""A small classifier of joints: from what describes a body to the probabilities of what its person does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomalylmm.errors import ShapeError, WeightsError
from anomalylmm.posture.classes import STILLS
from anomalylmm.posture.features import NUM_FEATURES, describe_bodies
from anomalylmm.records import Floats

CLIP = 6.0  # standard deviations


@dataclass(frozen=True, slots=True, kw_only=True)
class PostureHead:
    """The mean of a few perceptrons over standardized features."""

    mean: Floats = field(repr=False)  # (F,)
    scale: Floats = field(repr=False)  # (F,)
    members: tuple[tuple[tuple[Floats, Floats], ...], ...] = field(
        repr=False
    )  # layers: weights (out, in), biases (out,)

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Floats]) -> "PostureHead":
        """Builds it from named arrays: ``mean``, ``scale``, ``<member>.<layer>.weight`` and ``.bias``.

        Raises:
            WeightsError: An array is missing, or has another shape than this version's features and classes ask for.
        """
        try:
            members = tuple(_layers(arrays, number) for number in range(count_members(arrays)))
            head = cls(mean=arrays["mean"], scale=arrays["scale"], members=members)
        except KeyError as error:
            raise WeightsError(
                f"the posture head has no array {error}; take the one that this version ships"
            ) from error
        for member in members:
            sizes = {len(head.mean), len(head.scale), member[0][0].shape[1]}, member[-1][0].shape[0]
            if sizes != ({NUM_FEATURES}, len(STILLS)):
                raise WeightsError(
                    f"the posture head reads {min(sizes[0])} numbers and knows {sizes[1]} behaviors, but this version "
                    f"has {NUM_FEATURES} and {len(STILLS)}; take the head that this version ships"
                )
        return head

    def read(self, keypoints: Floats) -> Floats:
        """Gives the probabilities of ``STILLS`` for the N persons of one frame, (N, 17, 3); shape (N, C).

        Raises:
            ShapeError: There are not 17 joints of x, y and score for each person.
        """
        return self.classify(describe_bodies(keypoints))

    def classify(self, features: Floats) -> Floats:
        """Gives the probabilities of ``STILLS`` for described bodies (N, F); shape (N, C).

        Raises:
            ShapeError: The features are not (N, F).
        """
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ShapeError.of("features", f"(N, {len(self.mean)})", features.shape)
        standard = np.clip((features - self.mean) / self.scale, -CLIP, CLIP)
        return np.asarray(np.mean([_forward(member, standard) for member in self.members], axis=0), np.float32)


def count_members(arrays: Mapping[str, Floats]) -> int:
    """Counts the perceptrons whose arrays are there; at least one."""
    return max((int(name.split(".")[0]) + 1 for name in arrays if name[0].isdigit()), default=1)


def _layers(arrays: Mapping[str, Floats], member: int) -> tuple[tuple[Floats, Floats], ...]:
    numbers = sorted({int(name.split(".")[1]) for name in arrays if name.startswith(f"{member}.")}) or [0]
    return tuple((arrays[f"{member}.{layer}.weight"], arrays[f"{member}.{layer}.bias"]) for layer in numbers)


def _forward(layers: Sequence[tuple[Floats, Floats]], values: NDArray[np.floating]) -> NDArray[np.float64]:
    for weight, bias in layers[:-1]:
        values = np.maximum(values @ weight.T + bias, 0)
    weight, bias = layers[-1]
    logits = (values @ weight.T + bias).astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
