"""logos tasks"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from textwrap import wrap
from typing import Any

from logos_cli.terminal import options


def tasks(model: options.Model = None, profile: options.Profile = "logos", as_json: options.Json = False) -> None:
    """Show each task's input, prompt, stops and defaults.

    \b
    Example: logos tasks -m logos-1b-int4.gguf
    """
    from logos_cli.engines.sampling import resolve
    from logos_cli.models.model_file import read_model_file
    from logos_cli.tasks.profile import profile_named
    from logos_cli.tasks.table import TASKS
    from logos_cli.terminal.model_word import address_of, model_path

    table = {} if address_of(model) or profile != "logos" else read_model_file(model_path(model)).sampling
    found: list[dict[str, Any]] = []
    asked_as = profile_named(profile)
    for task in (asked_as.of(TASKS[name]) for name in asked_as.tasks) if asked_as else TASKS.values():
        resolved = resolve(task.name, task.sampling, task.source, table, {})
        shared = {"task": task.name, "modality": task.modality, "takes": task.takes, "prompt": task.form, "answer": task.gives}
        stops = [*task.stops, "the tokenizer's end token"]
        defaults = {k: {"value": v, "source": resolved.sources[k]} for k, v in asdict(resolved.settings).items()}
        found.append({**shared, "stops": stops, "defaults": defaults})
    sys.stdout.write(json.dumps(found, indent=2) + "\n" if as_json else "\n".join(map(shown, found)))


def shown(task: dict[str, Any]) -> str:
    """One task in lines of less than 80 columns, settings gathered by their source."""
    by_source: dict[str, list[str]] = {}
    for name, default in task["defaults"].items():
        by_source.setdefault(default["source"], []).append(f"{name} {default['value']}")
    lines = [task["task"]]
    for name in ("takes", "prompt", "answer"):
        lines += wrap(task[name], 78, initial_indent=f"  {name:<7} ", subsequent_indent=" " * 10)
    lines.append(f"  stops   {', '.join(task['stops'])}")
    for source, settings in by_source.items():
        lines += [
            *wrap(f"{source}:", 78, initial_indent="  ", subsequent_indent="    "),
            *wrap(", ".join(settings), 76, initial_indent="    ", subsequent_indent="    "),
        ]
    return "\n".join(lines) + "\n"
