"""The manifest of a fetched folder: read with suspicion, verified file by file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hub_server import COMMIT, REPO, describe

from logos_cli.errors import CheckpointError
from logos_cli.models.hub.manifest import read_manifest, verify_manifest


@pytest.mark.parametrize(
    "damage",
    [
        {"schema": 2}, {"schema": None}, {"files": []}, {"files": {}}, {"files": ["x"]}, {"files": 7}, {"repo": 7},
        {"license": ["mit"]}, {"date": "\x1b[2J"}, {"commit": "x" * 1000},
        *({"files": [{"name": name, "size": 1, "sha256": "0" * 64}]} for name in ("../x", "/x", "a/b", "", "..", "a\\b", 7)),
        *({"files": [{"name": "x", "size": size, "sha256": "0" * 64}]} for size in (-1, True, 1.5, "1", 1 << 70, None)),
        *({"files": [{"name": "x", "size": 1, "sha256": hashed}]} for hashed in ("0", "G" * 64, None, 7)),
        {"files": 2 * [{"name": "x", "size": 1, "sha256": "0" * 64}]},
    ],
)  # fmt: skip
def test_a_damaged_manifest_is_refused(tmp_path: Path, damage: dict[str, Any]) -> None:
    good = {
        "schema": 1, "repo": REPO, "revision": "main", "commit": COMMIT, "endpoint": "huggingface.co", "license": None,
        "date": "2026-11-23T00:00:00Z", "files": [{"name": "x", "size": 1, "sha256": "0" * 64}],
    }  # fmt: skip
    path = tmp_path / "logos-manifest.json"
    path.write_text(json.dumps(good))
    assert read_manifest(tmp_path)
    path.write_text(json.dumps(good | damage))
    with pytest.raises(CheckpointError) as caught:
        read_manifest(tmp_path)
    assert str(path) in str(caught.value) and len(str(caught.value).splitlines()) == 1 and "\x1b" not in str(caught.value)


def test_manifests_are_verified(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    hashes = {name: describe(f"{name}.bin", name.encode())["lfs"]["sha256"] for name in ("a", "b", "c", "d")}
    files = [{"name": name, "size": 1, "sha256": hashed} for name, hashed in hashes.items()]
    texts = dict.fromkeys(("repo", "revision", "commit", "endpoint", "date"), "x")
    (tmp_path / "logos-manifest.json").write_text(json.dumps({"schema": 1, **texts, "license": "mit", "files": files}))
    manifest = read_manifest(tmp_path)
    assert manifest
    for name, content in {"a": "a", "b": "z", "c": "cc"}.items():
        (tmp_path / name).write_text(content)
    read: list[int] = []
    problems = verify_manifest(tmp_path, manifest, progress=read.append)
    assert [p.split(";")[0][:18] for p in problems] == ["b: sha256 594e519a", "c: 2 bytes, 1 were", "d: missing"] and sum(
        read
    ) == 2
    assert [p[:2] for p in verify_manifest(tmp_path, manifest, sizes_only=True)] == ["c:", "d:"]
