"""protein: new proteins, or those that go on from their first residues.

No prompt of it is published: it is cut from the grammar's sequences.
"""

from __future__ import annotations

from logos_cli.tasks.answer_kinds import SEQUENCE
from logos_cli.tasks.chains import Chain
from logos_cli.tasks.proteins import MARKERS
from logos_cli.tasks.task import Task

_CHAIN = Chain(*MARKERS)
TASK = Task(
    name="protein", modality="protein", takes="nothing: samples new proteins; or the first residues of one",
    gives="the whole sequence", form=_CHAIN.start, stops=(_CHAIN.end,), needs=MARKERS, needs_input=False, answers=SEQUENCE,
    build=_CHAIN.build, read=_CHAIN.read, example_of=_CHAIN.example, wants="sequence", whole=True, invents=True,
    unpublished="no protein script is published",
)  # fmt: skip
