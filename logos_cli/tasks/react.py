"""react: reactants in, the product out."""

from __future__ import annotations

from dataclasses import replace

from logos_cli.chemistry.grammar import MOLECULE, MOLECULES, reaction_side
from logos_cli.tasks import answer_kinds
from logos_cli.tasks.answer_kinds import PUBLISHED_KEYS, REACTION_KEYS, SMILES_KEYS
from logos_cli.tasks.molecules import (
    MARKERS,
    contains,
    pairs_prompt,
    published_molecules,
    reaction_example,
    smiles_answer,
)
from logos_cli.tasks.task import Answer, Example, Input, Prompt, Style, Task, Tool, invalid

END = "<React>"


def build(row: Input, style: Style) -> Prompt:
    """Makes the prompt of reactants, each in its own marker pair."""
    if row.text is not None:
        parts = published_molecules(row.text, END)
    elif row.reactants or isinstance(row.value, tuple):
        parts = list(row.reactants or row.value or ())
    else:
        # Each part its own marker pair, as LOGOS was trained; a JSON list says which parts are salts of one reactant.
        parts = reaction_side(row.value or "", 0).split(".")
    shown = ".".join(part.strip() for part in parts)
    prompt = pairs_prompt(parts, shown, style.as_written or row.text is not None, END)
    # A record's input is parted at its dots: a salt that was kept together is two reactants there.
    return replace(prompt, rebuildable=prompt.rebuildable and prompt.question.count(".") == len(parts) - 1)


def example(row: Input, style: Style) -> Example:
    """Gives reactants with the product that their row says."""
    return reaction_example(row, build(row, style), -1, style.as_written)


def read(text: str, finish: str, prompt: Prompt) -> Answer:
    """Reads one product; of several molecules all are it."""
    parts = MOLECULE.findall(text)
    if finish == "length":
        return invalid("cut at the token limit", parts[0] if parts else None)
    if not MOLECULES.fullmatch(text):
        return invalid("not <MoleculeS>…<MoleculeE>", parts[0] if parts else None)
    return smiles_answer(".".join(parts))


def repeats(question: str, answer: str) -> str | None:
    """Says why a product is no answer to reactants: it is among them. None if it is not."""
    return "the product is among the reactants" if contains(question, answer) else None


TOOL = Tool(
    "predict_product", "Predict what reactants give: SMILES of products, ranked by how many samples agree.",
    "reactants", "SMILES of the reactants, joined by dots",
)  # fmt: skip
TASK = Task(
    name="react", modality="reaction", takes="reactants joined by dots or as a JSON list, or a reaction SMILES",
    gives="the product's SMILES, canonical", form="<MoleculeS>r1<MoleculeE><MoleculeS>r2<MoleculeE><React>",
    needs=(*MARKERS, END), answers=answer_kinds.MOLECULE, build=build, read=read, example_of=example, side="reactants",
    spells=("question", "answer"), truth_keys=("product", "products", *PUBLISHED_KEYS, *REACTION_KEYS, *SMILES_KEYS),
    repeats=repeats, tool=TOOL,
)  # fmt: skip
