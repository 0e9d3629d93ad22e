"""What a judge remembers of pictures."""

from collections.abc import Iterator

import numpy as np

from anomalylmm.models.judge.picture_memory import PictureMemory
from anomalylmm.records import Floats


class Maker:
    """Makes an array for each key, and counts."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def __call__(self, keys: list[int]) -> Iterator[Floats]:
        self.made += keys
        return (np.full(4, key, np.float32) for key in keys)


def test_each_key_is_made_once_and_given_in_the_order_asked() -> None:
    memory, make = PictureMemory(1 << 10), Maker()
    assert [value[0] for value in memory.recall([3, 1, 3], make)] == [3, 1, 3]
    assert [value[0] for value in memory.recall([1, 2], make)] == [1, 2]
    assert make.made == [3, 1, 2]


def test_no_more_is_kept_than_fits_and_the_rest_is_made_again() -> None:
    memory, make = PictureMemory(3 * 16), Maker()
    keys = list(range(10))
    for _ in range(2):
        assert [value[0] for value in memory.recall(keys, make)] == keys
        assert memory._bytes == sum(value.nbytes for value in memory._kept.values()) == 3 * 16
    assert 10 < len(make.made) <= 20


def test_a_value_that_is_too_large_is_given_and_not_kept() -> None:
    memory, make = PictureMemory(8), Maker()
    assert [len(memory.recall([1], make)[0]) for _ in range(2)] == [4, 4]
    assert make.made == [1, 1]
