"""Batches on a device with little memory."""

from collections.abc import Sequence

import pytest
import torch

from anomalylmm.models.hub.devices import work_in_batches


@pytest.mark.parametrize(("room", "sizes"), [(8, [8, 2]), (5, [4, 4, 2]), (1, [1] * 10)])
def test_a_batch_too_large_for_the_memory_is_halved_and_nothing_is_lost(room: int, sizes: list[int]) -> None:
    def work(piece: Sequence[int]) -> list[int]:
        if len(piece) > room:
            raise torch.OutOfMemoryError
        return [10 * item for item in piece]

    made = work_in_batches(range(10), 8, work)
    assert [len(piece) for piece in made] == sizes
    assert [item for piece in made for item in piece] == [10 * item for item in range(10)]


def test_too_little_memory_for_one_item_is_an_error() -> None:
    def work(_: Sequence[int]) -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        work_in_batches([1, 2], 2, work)
