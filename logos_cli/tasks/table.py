"""LOGOS's tasks: what a row becomes (prompt), where its answer ends (stops), what the answer says (parse).

Prompts and stops are those of the published scripts (LOGOS-Hub/LOGOS) where there is one. Every task also ends at the
tokenizer's end token. Sampling defaults are the commands in upstream's README.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from logos_cli.chemistry.grammar import RowError
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import UsageError
from logos_cli.rows.row import Row
from logos_cli.tasks import materials, molecules, proteins
from logos_cli.tasks.task import NOTHING, Answer, Prompt

# Upstream README's generation commands; its scripts' own defaults differ (retrosynthesis 0.7 / 0.95, others 1.2 / 0.95).
# top_k 50 is transformers' default, which those commands leave in force.
PUBLISHED = Sampling(temperature=1.2, top_k=50, top_p=0.85, repetition_penalty=1.05, max_tokens=1000)
# Tasks whose prompts are molecules of the row, and those of which a row's own molecules are scored: both are canonical.
ASKS_SMILES = ("retro", "react")
KNOWS_SMILES = (*ASKS_SMILES, "molecule", "ligand")
README_SOURCE = "upstream README's commands"


@dataclass(frozen=True)
class Task:
    """`wants` is what its rows hold (see `Reading`), `side` the side of a reaction that it asks with: `reactants` or
    `product`. `writes` is what a file of its answers can be: `smiles`, `sequence` or `other`. `known` gives prompt and answer
    of a row that has both, to be scored. `merges`: with --top, the samples of a row become one record instead of ranked
    ones. `repeats` says of a question and a valid answer, both SMILES, why the answer is the question over again, or None."""

    name: str
    modality: str
    takes: str
    gives: str
    form: str
    stops: tuple[str, ...]
    needs: tuple[str, ...]
    needs_input: bool
    asked: Callable[..., Prompt]  # of a Row; how it is shown or spelled is an option of some
    parser: Callable[[str, str, Prompt], Answer]
    known: Callable[..., tuple[str, str] | None]
    wants: str = "smiles"
    writes: str = "smiles"
    unpublished: str = ""
    side: str = ""
    merges: bool = False
    repeats: Callable[[str, str], str | None] | None = None
    reaction: Callable[[str, str], str] | None = None
    sampling: Sampling = PUBLISHED

    @property
    def source(self) -> str:
        """Where the sampling defaults are from."""
        return README_SOURCE + (f" ({self.unpublished})" if self.unpublished else "")

    def prompt(self, row: Row) -> Prompt:
        """Raises RowError for a row that this task cannot use."""
        if row.text is None and row.value and row.kind == "sequence" and self.wants == "smiles":
            raise RowError(f"a sequence of residues; {self.name} takes SMILES")
        return self.asked(row)

    def parse(self, text: str, finish: str, prompt: Prompt = NOTHING) -> Answer:
        return self.parser(text, finish, prompt)


_MOLECULE = ("<MoleculeS>", "<MoleculeE>")
_PROTEIN = ("<ProteinS>", "<ProteinE>")
_POCKET = ("<PocketS>", "<PocketE>")
TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            "retro", "reaction", "a product SMILES, or a reaction SMILES (its product)", "a list of reactant SMILES, canonical",
            "<MoleculeS>P<MoleculeE><ReverseReact>", (), (*_MOLECULE, "<ReverseReact>"), True,
            molecules.retro_prompt, molecules.parse_reactants, molecules.known_retro, side="product",
            repeats=molecules.repeats_product,
            reaction=lambda product, reactants: f"{reactants}>>{product}",
        ),
        Task(
            "react", "reaction", "reactants joined by dots or as a JSON list, or a reaction SMILES",
            "the product's SMILES, canonical",
            "<MoleculeS>r1<MoleculeE><MoleculeS>r2<MoleculeE><React>", (), (*_MOLECULE, "<React>"), True,
            molecules.react_prompt, molecules.parse_product, molecules.known_react, side="reactants",
            repeats=molecules.repeats_reactant,
            reaction=lambda reactants, product: f"{reactants}>>{product}",
        ),
        Task(
            "molecule", "molecule", "nothing: samples new molecules; or the beginning of a SMILES", "a SMILES, canonical",
            "<MoleculeS>", ("<MoleculeE>",), _MOLECULE, False,
            molecules.molecule_prompt, molecules.parse_molecule, molecules.known_molecule,
            unpublished="no molecule script is published",
        ),
        Task(
            "protein", "protein", "nothing: samples new proteins; or the first residues of one", "the whole sequence",
            "<ProteinS>", ("<ProteinE>",), _PROTEIN, False,
            proteins.protein_prompt, proteins.parse_protein, proteins.known_protein,
            "sequence", "sequence", "no protein script is published",
        ),
        Task(
            "antibody", "antibody", "nothing: samples antibody domains; or the first residues of one", "the whole sequence",
            "<AntibodyS>", ("<AntibodyE>",), ("<AntibodyS>", "<AntibodyE>"), False,
            proteins.antibody_prompt, proteins.parse_antibody, proteins.known_antibody,
            "sequence", "sequence", "its CDR design prompts are not published",
        ),
        Task(
            "pocket", "pocket", "a protein: FASTA, PDB, mmCIF, a sequence column", "binding residues, counted from 1",
            "<ProteinS>AA<ProteinE><Search><ProteinS>", (), (*_PROTEIN, *_POCKET, "<Search>"), True,
            proteins.pocket_prompt, proteins.parse_pocket, proteins.known_pocket,
            "sequence", "other", merges=True,
        ),
        Task(
            "ligand", "complex", "a protein and its pocket: a structure with --pocket-from, or a pocket in the input",
            "a SMILES, canonical",
            "<ProteinS>A<PocketS>A<PocketE>A<ProteinE><MoleculeS>", _MOLECULE[1:], (*_PROTEIN, *_POCKET, *_MOLECULE), True,
            proteins.ligand_prompt, molecules.parse_molecule, proteins.known_ligand,
            "sequence", "smiles", "which of the three prompts was used is not published",
        ),
        Task(
            "expand", "pocket", "a protein and its pocket", "pocket residues, from 1, and their SMILES",
            "<ProteinS>A<PocketS>A<PocketE>A<ProteinE><Trans><ProteinS>", (), (*_PROTEIN, *_POCKET, "<Trans>"), True,
            proteins.expand_prompt, proteins.parse_expand, proteins.known_expand,
            "sequence", "other", "no such script is published",
        ),
        Task(
            "material", "material", "nothing: samples MOF building blocks; or a metal node's SMILES",
            "a metal node and its linkers",
            "<MaterialS>", ("<MaterialE>",), ("<MaterialS>", "<MaterialE>", "<MetalS>", "<MetalE>", *_MOLECULE), False,
            materials.material_prompt, materials.parse_material, materials.known_material,
            writes="other",
        ),
        Task(
            "raw", "any", 'grammar text, {"id", "text"} lines, continued as it is', "the text that follows",
            "the text", (), (), True,
            molecules.raw_prompt, molecules.parse_raw, molecules.known_raw,
            "any", "other",
        ),
    )
}  # fmt: skip


def spelled(task: Task, as_written: bool = True) -> Task:
    """`task` with the SMILES of its rows `as_written`, or in canonical form, which is how all of `TASKS` are."""
    if not as_written or task.name not in KNOWS_SMILES:
        return task
    asked = partial(task.asked, as_written=True) if task.name in ASKS_SMILES else task.asked
    return replace(task, asked=asked, known=partial(task.known, as_written=True))


def task_named(name: str, form: str | None = None) -> Task:
    """`form` is how a protein is shown in the prompt of `ligand`, one of its FORMS."""
    if name not in TASKS:
        raise UsageError(f"no task {name!r}; one of: {', '.join(TASKS)}")
    task = TASKS[name]
    if form is None:
        return task
    if name != "ligand":
        raise UsageError(f"--form says how ligand shows its protein; {name} has one form")
    if form not in proteins.FORMS:
        raise UsageError(f"no form {form!r}; one of: {', '.join(proteins.FORMS)}")
    return replace(task, asked=partial(proteins.ligand_prompt, form=form), known=partial(proteins.known_ligand, form=form))
