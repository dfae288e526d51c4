"""What must hold of a checkpoint besides its weights before anything is written."""

from __future__ import annotations

from logos_cli.engines.sampling import resolve
from logos_cli.errors import CheckpointError, LogosError
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.hub.manifest import MANIFEST, read_manifest, verify_manifest
from logos_cli.models.tokens import Tokens
from logos_cli.system.reporter import SILENT, Reporter
from logos_cli.tasks.table import TASKS


def check_manifest(checkpoint: Checkpoint, reporter: Reporter = SILENT) -> None:
    """Raise CheckpointError for a folder that is not what was fetched: the converted file names the origin of its weights."""
    if checkpoint.kept is not None:
        return  # checked before it was cut
    manifest = read_manifest(checkpoint.path)
    if manifest is None:
        return
    with reporter.progress("checking what was fetched", sum(entry.size for entry in manifest.files), "bytes") as bar:
        problems = verify_manifest(checkpoint.path, manifest, progress=bar.advance)
    if problems:
        raise CheckpointError(f"{checkpoint.path}: {problems[0]}; or, if you changed it yourself, remove {MANIFEST}")


def check_sampling(checkpoint: Checkpoint) -> None:
    """Raise CheckpointError now for a sampling table that every later run would stumble over."""
    table = checkpoint.document("logos_sampling.json")
    for task in TASKS.values():
        try:
            resolve(task.name, task.sampling, task.source, table, {})
        except (LogosError, AttributeError) as error:
            raise CheckpointError(f"{checkpoint.path / 'logos_sampling.json'}: {error}") from None


def note_ignored(tokens: Tokens, reporter: Reporter) -> None:
    """Tell what of the tokenizer's files is not used."""
    for text in tokens.notes:
        reporter.note(f"{tokens.path}: {text}")
