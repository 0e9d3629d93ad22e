"""Bringing the models of a profile from a hub-shaped server on loopback."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from anomalylmm.errors import WeightsError
from anomalylmm.models.weights import resolve
from flows.cli import app
from flows.maintain.models import fetch_all, find_fetchable, list_models
from flows.settings.model import Settings
from tests.anomalylmm.models.tiny_models import save_detector, save_siglip, save_smolvlm
from tests.hub_server import HubServer, serving

DETECTOR, ENCODER, JUDGE = "org/yolo/small.onnx", "org/siglip", "org/smolvlm"
NAMES = {"detector": {"weights": DETECTOR}, "encoder": {"weights": ENCODER}, "judge": {"weights": JUDGE}}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    (folder / "org" / "yolo").mkdir(parents=True)
    save_detector(folder / DETECTOR)
    save_siglip(folder / ENCODER)
    save_smolvlm(folder / JUDGE)
    (folder / JUDGE / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / JUDGE / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return folder


@pytest.fixture
def hub(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with serving(models) as server:
        monkeypatch.setenv("HF_HUB_OFFLINE", "")
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
        template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        yield server


def settings_for(folder: Path, **names: dict[str, str]) -> Settings:
    return Settings.model_validate({"models_folder": str(folder), **(names or NAMES)})


def fetch(folder: Path) -> None:
    chosen = settings_for(folder)
    fetch_all(find_fetchable(chosen), chosen, folder)


def test_what_is_missing_is_fetched_whole_and_found(hub: HubServer, tmp_path: Path) -> None:
    chosen = settings_for(tmp_path / "here")
    assert [row.found for row in list_models(chosen)] == [False, True, True, False, False]
    fetch(tmp_path / "here")
    rows = {row.role: row for row in list_models(chosen)}
    assert [row.source for row in rows.values()] == ["fetched", "shipped", "shipped", "fetched", "fetched"]
    assert rows["judge"].license == "apache-2.0"
    fetched = resolve(ENCODER, "dual_encoder", folder=tmp_path / "here")
    assert fetched.digest == resolve(str(hub.folder / ENCODER), "dual_encoder").digest
    assert not list((tmp_path / "here").rglob("*.bin"))
    assert not list((tmp_path / "here").rglob(".cache"))
    assert find_fetchable(chosen) == []


def test_what_broke_off_is_fetched_again_and_nothing_else(hub: HubServer, tmp_path: Path) -> None:
    hub.broken_off = {"model.safetensors": 1000}
    fetch(tmp_path)
    assert [name for name, _ in hub.sent].count("model.safetensors") == 3  # of two models
    assert all(row.found for row in list_models(settings_for(tmp_path)))
    hub.sent.clear()
    (tmp_path / ENCODER / "config.json").unlink()
    fetch(tmp_path)
    assert hub.sent == [("config.json", 0)]


def test_a_file_with_another_content_is_removed_and_named(hub: HubServer, tmp_path: Path) -> None:
    hub.damaged = {"model.safetensors"}
    with pytest.raises(WeightsError, match=r"org/siglip/model\.safetensors arrived with other content"):
        fetch(tmp_path)
    assert not (tmp_path / ENCODER / "model.safetensors").exists()
    hub.damaged.clear()
    fetch(tmp_path)
    assert all(row.found for row in list_models(settings_for(tmp_path)))


def test_refusals_of_the_hub_are_said_in_plain_words(hub: HubServer, tmp_path: Path) -> None:
    hub.gated = {ENCODER}
    with pytest.raises(WeightsError, match="asks for consent: agree at"):
        fetch(tmp_path)
    for name, words in (
        ("nobody/nothing", "has no model nobody/nothing"),
        ("one-word", r"named org/name$"),
        ("org/yolo", r"no \*\.safetensors"),
    ):
        with pytest.raises(WeightsError, match=words):
            find_fetchable(settings_for(tmp_path, judge={"weights": name}))
    with pytest.raises(WeightsError, match=r"neither none\.onnx nor none\.pt"):
        find_fetchable(settings_for(tmp_path, detector={"weights": "org/yolo/none.onnx"}))


def test_without_a_network_or_room_nothing_is_left_in_half(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings_for(tmp_path)
    found = find_fetchable(chosen)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
        with pytest.raises(WeightsError, match=r"has 0\.0 GB free"):
            fetch_all(found, chosen, tmp_path)
    hub.shutdown()
    hub.server_close()
    with pytest.raises(WeightsError, match="check the network"):
        find_fetchable(chosen)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE forbids"):
        find_fetchable(chosen)


def test_the_command_shows_licenses_asks_and_ends_with_the_list(hub: HubServer, tmp_path: Path) -> None:
    lines = [f'{part}.weights = "{values["weights"]}"' for part, values in NAMES.items()]
    file = tmp_path / "mine.toml"
    file.write_text("\n".join(lines))
    asked = ["models", "--settings", str(file), "--fetch", "--to", str(tmp_path / "usb")]
    refused = CliRunner().invoke(app, asked, input="n\n")
    assert refused.exit_code == 1
    assert "license apache-2.0, https://huggingface.co/org/smolvlm" in refused.output
    assert not (tmp_path / "usb").exists()
    done = CliRunner().invoke(app, [*asked, "--yes"])
    assert done.exit_code == 0, done.output
    assert "MISSING" not in done.output
    assert "set models_folder" in done.output
    assert CliRunner().invoke(app, ["models", "--yes"]).exit_code == 2
