"""The schemas of documents that commands write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "bench.schema.json").read_text())
RECORDS = jsonschema.Draft202012Validator(json.loads((DOCS / "record.schema.json").read_text()))


def check_schema(document: dict[str, Any]) -> None:
    kind = {**SCHEMA, "oneOf": [{"$ref": f"#/$defs/{document['kind']}"}]}
    jsonschema.Draft202012Validator(kind).validate(document)


def check_records(lines: list[dict[str, Any]], kind: str) -> None:
    for line in lines:
        assert line["kind"] == kind
        RECORDS.validate(line)
