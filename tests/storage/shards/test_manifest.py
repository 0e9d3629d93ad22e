"""What a manifest may say."""

import json
from dataclasses import asdict

import pytest

from anomalylmm.errors import ShardError
from storage.disk.files import digest_json
from storage.disk.layout import StoreLayout
from storage.shards.manifest import read_manifest
from tests.storage.examples import make_rows, publish_shard, unit_vectors


@pytest.mark.parametrize("name", ["/etc/passwd", "../../../x", "..", "a/b", "a\\b", ""])
def test_a_manifest_can_not_name_a_file_elsewhere(layout: StoreLayout, name: str) -> None:
    publish_shard(layout, "a", make_rows("a", unit_vectors(3)))
    (path,) = layout.shards.rglob("manifest.json")
    content = json.loads(path.read_text())
    content.pop("checksum")
    content["files"][name] = asdict(next(iter(read_manifest(path.parent).files.values())))
    path.write_text(json.dumps({**content, "checksum": digest_json(content)}))
    with pytest.raises(ShardError, match="not a file in its directory"):
        read_manifest(path.parent)
