"""retro: a product in, reactants out."""

from __future__ import annotations

from logos_cli.chemistry.grammar import MOLECULE, MOLECULES, RowError, reaction_side
from logos_cli.chemistry.smiles import canonical, shortened
from logos_cli.tasks.answer_kinds import PUBLISHED_KEYS, REACTANTS, REACTION_KEYS, SMILES_KEYS
from logos_cli.tasks.molecules import MARKERS, contains, pairs_prompt, published_molecules, reaction_example
from logos_cli.tasks.task import Answer, Example, Input, Prompt, Style, Task, Tool, invalid

END = "<ReverseReact>"


def build(row: Input, style: Style) -> Prompt:
    """Makes the prompt of a product, of a reaction its own."""
    if row.text is not None:
        products = published_molecules(row.text, END)
        if len(products) != 1:
            raise RowError(f"{len(products)} molecules before {END}; one product is expected")
        shown = products[0]
    elif isinstance(row.value, tuple):
        shown = ".".join(row.value)
    else:
        shown = reaction_side(row.value or "", -1).strip()
    return pairs_prompt([shown], shown, style.as_written or row.text is not None, END)


def example(row: Input, style: Style) -> Example:
    """Gives a product with the reactants that its row says."""
    return reaction_example(row, build(row, style), 0, style.as_written)


def read(text: str, finish: str, prompt: Prompt) -> Answer:
    """Reads molecules, each in its own marker pair."""
    parts = MOLECULE.findall(text)
    if finish == "length":
        return invalid("cut at the token limit", parts or None)
    if not MOLECULES.fullmatch(text):
        return invalid("not a sequence of <MoleculeS>…<MoleculeE>", parts or None)
    smiles = [canonical(part) for part in parts]
    if None in smiles:
        return invalid(f"not a valid SMILES: {shortened(parts[smiles.index(None)])}", parts)
    value = sorted(one for one in smiles if one)
    return Answer(value, True, ".".join(sorted(".".join(value).split("."))))


def repeats(question: str, answer: str) -> str | None:
    """Says why reactants are no answer to a product: they contain it. None if they do not."""
    return "the reactants contain the product" if contains(answer, question) else None


TOOL = Tool(
    "predict_reactants",
    "Predict the reactants from which a molecule can be made in one step: sets of SMILES, ranked by how many samples agree.",
    "product", "the molecule to make, as SMILES",
)  # fmt: skip
TASK = Task(
    name="retro", modality="reaction", takes="a product SMILES, or a reaction SMILES (its product)",
    gives="a list of reactant SMILES, canonical", form="<MoleculeS>P<MoleculeE><ReverseReact>", needs=(*MARKERS, END),
    answers=REACTANTS, build=build, read=read, example_of=example, side="product", spells=("question", "answer"),
    truth_keys=("reactants", *PUBLISHED_KEYS, *REACTION_KEYS, *SMILES_KEYS), repeats=repeats, back="react", tool=TOOL,
)  # fmt: skip
