"""The schemas of documents that commands write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "bench.schema.json").read_text())


def check_schema(document: dict[str, Any]) -> None:
    kind = {**SCHEMA, "oneOf": [{"$ref": f"#/$defs/{document['kind']}"}]}
    jsonschema.Draft202012Validator(kind).validate(document)
