"""Turns images and a prompt into a judge's inputs through its chat template; knows no model."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from anomalylmm.models.hub.loading import move
from anomalylmm.models.hub.words import ChatWords, Part
from anomalylmm.protocols import Views
from anomalylmm.records import Clip

Inputs = dict[str, torch.Tensor]


class Chat(ChatWords):
    """Builds a question's tensors as well."""

    def __init__(self, processor: Any, device: torch.device, dtype: torch.dtype) -> None:
        """Takes a processor with a chat template."""
        super().__init__(processor)
        self._device, self._dtype = device, dtype

    def inputs_of(self, views: Views, prompt: str) -> Inputs:
        """The inputs of one candidate; batch dimension 1.

        Of a moment, models of video get a video, and others its pictures, each behind its time.
        """
        is_video = isinstance(views, Clip) and self.takes_video
        text = self._render(list_shown(views, as_video=is_video), prompt)
        given = video_input(views) if is_video and isinstance(views, Clip) else {"images": [list(views)]}
        inputs = self._processor(text=[text], return_tensors="pt", add_special_tokens=not self.is_begun(text), **given)
        tensors = {name: value for name, value in inputs.items() if isinstance(value, torch.Tensor)}
        return move(tensors, self._device, self._dtype)

    @cached_property
    def takes_video(self) -> bool:
        """Whether processor and chat template know videos."""
        token = getattr(self._processor, "video_token", None)
        if not token or getattr(self._processor, "video_processor", None) is None:
            return False
        return token in self._render([{"type": "video"}], "?")

    @property
    def merge_size(self) -> int:
        """Side in patches of what one image token stands for, in families that say so."""
        return int(getattr(self._processor.image_processor, "merge_size", 1))

    def tile_tokens(self, names: Sequence[str]) -> int:
        """Tokens of one tile of a picture, by the first of these names that the processor knows; 0 for none."""
        return next((int(value) for name in names if (value := getattr(self._processor, name, None))), 0)

    def decode(self, ids: torch.Tensor) -> str:
        """Text of generated tokens."""
        text: str = self.tokenizer.decode(ids.tolist(), skip_special_tokens=True)
        return text.strip()


def list_shown(views: Views, *, as_video: bool) -> list[Part]:
    """Lists the parts of a message that show views: pictures, a moment's with their times, or one video."""
    if as_video:
        return [{"type": "video"}]
    if not isinstance(views, Clip):
        return [{"type": "image"}] * len(views)
    seconds = [time - views.pts_seconds[0] for time in views.pts_seconds]
    parts: list[list[Part]] = [[{"type": "text", "text": f"{time:.1f} s: "}, {"type": "image"}] for time in seconds]
    return [part for pair in parts for part in pair]


def video_input(clip: Clip) -> dict[str, Any]:
    """A processor's arguments for a moment as one video; all frames are kept."""
    frames = torch.from_numpy(np.stack(clip)).permute(0, 3, 1, 2)  # T,C,H,W
    seconds = clip.pts_seconds[-1] - clip.pts_seconds[0]
    fps = (len(clip) - 1) / seconds if seconds else 1.0
    times = {"fps": fps, "duration": len(clip) / fps, "frames_indices": list(range(len(clip)))}
    return {
        "videos": [frames],
        "video_metadata": [{"total_num_frames": len(clip), **times}],
        "do_sample_frames": False,
    }


def group_alike(inputs: Sequence[Inputs], most: int) -> list[list[int]]:
    """Groups candidates whose inputs have equal shapes, at most ``most`` together.

    Equal shapes need no padding, so a batch gives what each candidate alone would.
    """
    groups: dict[Any, list[list[int]]] = {}
    for index, item in enumerate(inputs):
        key = tuple((name, tuple(value.shape)) for name, value in sorted(item.items()))
        lists = groups.setdefault(key, [[]])
        if len(lists[-1]) == most:
            lists.append([])
        lists[-1].append(index)
    return [group for lists in groups.values() for group in lists]


def join(inputs: Sequence[Inputs]) -> Inputs:
    """Stacks the inputs of alike candidates along their first dimension."""
    return {name: torch.cat([item[name] for item in inputs]) for name in inputs[0]}
