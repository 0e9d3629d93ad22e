"""Where weights are found, how they are named, and what is refused."""

import os
from pathlib import Path

import huggingface_hub
import pytest

from anomalylmm.errors import WeightsError
from anomalylmm.models import weights
from anomalylmm.models.weights import resolve


def make_folder(folder: Path, *files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in files:
        (folder / name).write_bytes(name.encode())
    return folder


def test_a_local_folder_comes_first_and_is_named_by_its_content(tmp_path: Path) -> None:
    found = resolve(str(make_folder(tmp_path / "mine", "config.json", "model.safetensors")), "judge")
    assert found.source == "local"
    assert found.model_id == f"mine@{found.digest[:12]}"
    assert found.license == "unknown"


def test_shipped_weights_are_found_by_their_short_name() -> None:
    found = resolve("pocket/detector", "detector")
    assert found.source == "shipped"
    assert found.path.suffix == ".onnx"
    assert found.model_id.startswith("pocket/detector@")


def test_other_content_gets_another_digest_and_a_card_does_not_count(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "mine", "config.json", "model.safetensors")
    before = resolve(str(folder), "judge").digest
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    (folder / "card.json").write_text("{}")
    again = resolve(str(folder), "judge")
    assert (again.digest, again.license) == (before, "apache-2.0")
    (folder / "model.safetensors").write_bytes(b"other")
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert resolve(str(folder), "judge").digest != before


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_a_folder_of_pickles_is_refused_unless_allowed(tmp_path: Path, name: str) -> None:
    folder = make_folder(tmp_path / "old", "config.json", name)
    with pytest.raises(WeightsError, match="allow_pickle = true"):
        resolve(str(folder), "judge")
    assert resolve(str(folder), "judge", allow_pickle=True).path == folder


def test_a_pickled_detector_is_refused_unless_allowed(tmp_path: Path) -> None:
    path = make_folder(tmp_path, "yolo26n.pt") / "yolo26n.pt"
    with pytest.raises(WeightsError, match="export it once"):
        resolve(str(path), "detector")
    assert resolve(str(path), "detector", allow_pickle=True).path == path


def test_missing_weights_say_what_to_download_and_where_to_put_it() -> None:
    with pytest.raises(WeightsError, match="anomalylmm models --fetch"):
        resolve("nobody/nothing", "judge")
    with pytest.raises(WeightsError, match=r"set the path of an \.onnx file"):
        resolve("yolo26s.onnx", "detector")


def test_incomplete_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no config\.json"):
        resolve(str(make_folder(tmp_path / "a", "model.safetensors")), "dual_encoder")
    with pytest.raises(WeightsError, match=r"no \*\.safetensors"):
        resolve(str(make_folder(tmp_path / "b", "config.json")), "dual_encoder")
    with pytest.raises(WeightsError, match=r"no \.onnx file"):
        resolve(str(make_folder(tmp_path / "c", "notes.txt")), "detector")
    with pytest.raises(WeightsError, match=r"2 \.onnx files"):
        resolve(str(make_folder(tmp_path / "d", "a.onnx", "b.onnx")), "detector")


def test_the_network_is_asked_only_where_allowed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[bool] = []

    def answer(_name: str, *, allow_network: bool) -> Path | None:
        asked.append(allow_network)
        return make_folder(tmp_path / "hub", "config.json", "model.safetensors") if allow_network else None

    monkeypatch.setattr(weights, "_from_hub", answer)
    with pytest.raises(WeightsError):
        resolve("org/model", "judge")
    assert asked == [False]
    assert resolve("org/model", "judge", allow_network=True).source == "hub"
    assert asked == [False, False, True]


@pytest.mark.parametrize(("forbidden", "offline"), [("", [True, False]), ("1", [True, True])])
def test_the_hub_can_be_reached_only_while_it_is_asked(
    monkeypatch: pytest.MonkeyPatch, forbidden: str, offline: list[bool]
) -> None:
    seen: list[bool] = []

    def download(_name: str, **_options: object) -> str:
        seen.append(huggingface_hub.is_offline_mode())
        raise OSError

    monkeypatch.setenv("HF_HUB_OFFLINE", forbidden)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(WeightsError):
        resolve("org/model", "judge", allow_network=True)
    assert seen == offline
    assert huggingface_hub.is_offline_mode()


@pytest.mark.parametrize("name", ["~nobody_here/x", "a" * 5000, "a\0b", "-/--", "../.."])
def test_a_name_that_names_no_place_is_refused(name: str) -> None:
    with pytest.raises(WeightsError):
        resolve(name, "judge")


@pytest.mark.parametrize("name", ["x.PT", "x.Pth", "x.BIN"])
def test_a_pickle_is_known_whatever_the_case_of_its_suffix(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(WeightsError, match="pickle"):
        resolve(str(tmp_path / name), "detector")
