"""The pose net: MoveNet's heads and its choice of joints, for a square crop around one person."""

from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.pocket.pose.graph import HeadGraph

SIDE_PX = 192  # of Lightning; Thunder sees 256
CELLS = SIDE_PX // 4
CELL_PX = 4
JOINTS = 17
REACH_CELLS = 1.8  # MoveNet's own: how far from its first guess a joint may be found before that counts against it


class PoseNet(nn.Module):
    """Finds the 17 joints of the person in the middle of a square crop, in one pass."""

    def __init__(self, graph: Path, side_px: int = SIDE_PX) -> None:
        """Begins with MoveNet's weights.

        Args:
            graph: ``movenet-lightning.json``, with its ``.bin`` beside it.
            side_px: Side of the crops that it sees.
        """
        super().__init__()
        self.graph = HeadGraph(graph)
        self.cells = cells = side_px // CELL_PX
        line = torch.arange(cells, dtype=torch.float32)
        self.register_buffer("rows", line.repeat_interleave(cells), persistent=False)
        self.register_buffer("columns", line.repeat(cells), persistent=False)
        distance = ((self.rows - cells / 2) ** 2 + (self.columns - cells / 2) ** 2).sqrt()
        self.register_buffer("nearness", 1 / (distance + REACH_CELLS), persistent=False)

    def heads(self, images: Tensor) -> dict[str, Tensor]:
        """Computes MoveNet's heads of (N, 3, 192, 192) RGB, 0..255."""
        return self.graph(images / 127.5 - 1)

    def forward(self, images: Tensor) -> Tensor:
        """Finds the joints.

        Args:
            images: (N, 3, 192, 192), RGB, 0..255.

        Returns:
            (N, 17, 3): x and y in 0..1 of the crop, score 0..1; COCO's order.
        """
        heads = self.heads(images)
        heatmap = heads["heatmap"].sigmoid().flatten(2)
        first_y, first_x = self._first_guess(heads)
        away = ((self.rows - first_y) ** 2 + (self.columns - first_x) ** 2).sqrt()
        cell = (heatmap / (away + REACH_CELLS)).argmax(2, keepdim=True)
        offset = heads["offset"].flatten(2).unflatten(1, (JOINTS, 2))
        offset_y, offset_x = (offset[:, :, axis].gather(2, cell) for axis in (0, 1))
        x = self.columns[cell] + offset_x
        y = self.rows[cell] + offset_y
        return torch.cat([x / self.cells, y / self.cells, heatmap.gather(2, cell)], 2).reshape(-1, JOINTS, 3)

    def _first_guess(self, heads: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Where the person's center says that the joints are: y and x in cells, each (N, 17, 1)."""
        center = (heads["center"].sigmoid().flatten(1) * self.nearness).argmax(1).reshape(-1, 1, 1)
        regress = heads["regress"].flatten(2).gather(2, center.expand(-1, 2 * JOINTS, 1)).unflatten(1, (JOINTS, 2))
        return self.rows[center] + regress[:, :, 0], self.columns[center] + regress[:, :, 1]


def export(net: PoseNet, path: Path) -> None:
    """Writes the net as ONNX: ``images`` (N, 3, 192, 192) to ``joints`` (N, 17, 3)."""
    net.eval()
    axes = {"images": {0: "persons"}, "joints": {0: "persons"}}
    example = torch.zeros(2, 3, SIDE_PX, SIDE_PX)
    names = {"input_names": ["images"], "output_names": ["joints"], "dynamic_axes": axes}
    torch.onnx.export(net, (example,), str(path), opset_version=17, dynamo=False, **names)
