"""Formats of biology's files as their first lines show them: which are structures or FASTA behind something else, and which
are not read, so that one line can say what to do instead."""

from __future__ import annotations

import re

from logos_cli.errors import InputError

# Names of records in PDB files, of the wwPDB's format 3.3, of CASP's models and of the editors' own.
_RECORD = re.compile(
    rb"(?:HEADER|OBSLTE|TITLE|SPLIT|CAVEAT|COMPND|SOURCE|KEYWDS|EXPDTA|NUMMDL|MDLTYP|AUTHOR|REVDAT|SPRSDE|JRNL|REMARK|"
    rb"DBREF[12]?|SEQADV|SEQRES|MODRES|HET|HETNAM|HETSYN|FORMUL|HELIX|SHEET|TURN|SSBOND|LINK|CISPEP|SITE|CRYST1|"
    rb"ORIGX[123]|SCALE[123]|MTRIX[123]|MODEL|ANISOU|TER|ENDMDL|CONECT|MASTER|END|USER|PARENT|PFRMAT|TARGET|METHOD|"
    rb"STOICH|SCORE|QMODE|REMARK\d+|ROOT|ENDROOT|BRANCH|ENDBRANCH|TORSDOF)(?=[ \t]|$)",
    re.IGNORECASE,
)
_ATOM = re.compile(
    rb"(?:ATOM  |HETATM)[ \dA-Za-z]{5}.{15,19}[ \d.-]{24}|(?:ATOM|HETATM)[ \t]+\d+[ \t]+\S{1,4}[ \t]", re.IGNORECASE
)
# Words that no protein begins with, though the letters of some are residues: alone they are enough.
_OWN_RECORD = re.compile(
    rb"(?:HEADER|TITLE|COMPND|EXPDTA|REMARK|CRYST1|SEQRES|DBREF|HELIX|SHEET|MODEL|PARENT|PFRMAT)[ \t]+\S", re.IGNORECASE
)
# Serial, atom, residue, number, x, y, z, charge, radius: parted by blanks, and nothing after the radius.
_PQR = re.compile(
    rb"(?:ATOM|HETATM)\s+\d+\s+\S+\s+\S+\s+(?:[A-Za-z]\s+)?-?\d+[A-Za-z]?(?:\s+-?\d+\.\d+){3}\s+-?\d+\.\d+\s+\d+\.\d+\s*$"
)
_PDB_TEMPERATURE = re.compile(rb".{54}[ \d]{3}\.\d\d[ \d-]{3}\.\d\d")  # occupancy and B-factor in their columns
_TO_FASTA = "convert it to FASTA"
_TEXT: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (re.compile(rb"#\s*STOCKHOLM"), "a Stockholm alignment", f"{_TO_FASTA}: esl-reformat afa FILE"),
    (re.compile(rb"(?:CLUSTAL|MUSCLE \(|PROBCONS|MAFFT|T-COFFEE|KALIGN)\b", re.IGNORECASE), "a Clustal alignment", _TO_FASTA),
    (re.compile(rb"LOCUS[ \t]+\S+[ \t]+\d+[ \t]+(?:aa|bp)|LOCUS {5}", re.IGNORECASE), "a GenBank file", _TO_FASTA),
    (re.compile(rb"ID   \S+.*\s(?:AC   |XX\s|DT   )"), "an EMBL or UniProt entry", _TO_FASTA),
    (re.compile(rb">(?:P1|F1|DL|DC|RL|RC|N1|N3|XX);"), "a PIR file", _TO_FASTA),
    (re.compile(rb"#NEXUS", re.IGNORECASE), "a NEXUS file", _TO_FASTA),
    (re.compile(rb"!![AN]A_|PileUp\b"), "a GCG file (MSF)", _TO_FASTA),
    (re.compile(rb"[ \t]*\d+[ \t]+\d+(?:[ \t]+[IS])?[ \t]*[\r\n]+[A-Za-z_]"), "a PHYLIP alignment", _TO_FASTA),
    (re.compile(rb"@\S[^\r\n]*[\r\n]+[A-Za-z.*-]+[\r\n]+\+"), "a FASTQ file", "translate it to protein FASTA"),
    (re.compile(rb"##gff-version|##fileformat=VCF|##sequence-region"), "an annotation of genomes", "give the protein's FASTA"),
    (re.compile(rb"HMMER3/|HMMER2\.|HHsearch"), "a profile HMM", "give its sequences as FASTA"),
    (re.compile(rb"Query\s+\S[^\r\n]*[\r\n]+Match_columns"), "an HHsearch result", "give its sequences as FASTA or a3m"),
    (re.compile(rb"(?:#[^\r\n]*\s+|-{3}\s+)*(?:version:[^\r\n]*\s+|sequences:\s+)(?:sequences:\s+)?-?"), "a Boltz YAML", ""),
    (re.compile(rb"@<TRIPOS>"), "a Tripos mol2 file", "give the protein as PDB or mmCIF, a molecule as SDF or SMILES"),
    (re.compile(rb"%VERSION\s+VERSION_STAMP"), "an AMBER topology", "write a PDB of it"),
    (re.compile(rb"\*?\s*PSF\b(?=[ \t\r\n])"), "a PSF topology", "write a PDB of it"),
    (re.compile(rb"[^\r\n]*[\r\n]+[ \t]*\d+[ \t]*[\r\n]+[ \t]*\d+[A-Z]{3}[ \t]"), "a GROMACS file", "write a PDB of it"),
)  # fmt: skip
_JSON = re.compile(
    rb'"(?:modelSeeds|proteinChain|dialect"\s*:\s*"alphafold|sequences"\s*:\s*\[\s*\{\s*"(?:protein|ligand|rna|dna))'
)
_MMTF = re.compile(
    rb"[\x80-\x8f\xde\xdf].{0,6}(?:[\xa0-\xbf]|\xd9.)(?:mmtfVersion|mmtfProducer|unitCell|structureId)", re.DOTALL
)
_OF_FOLDING = "give its sequences as FASTA"


def without_comments(start: bytes) -> bytes:
    """The beginning of a text without the lines of remarks (`#`, FASTA's old `;`) and blanks before its first other line."""
    return re.sub(rb"\A(?:[ \t]*(?:[#;][^\r\n]*)?(?:\r\n|\r|\n))+", b"", start.removeprefix(b"\xef\xbb\xbf"))


def whole_lines(start: bytes) -> list[bytes]:
    """The lines that hold something; the last only if its end is there, or it is the only one."""
    lines = [line for line in start.splitlines() if line.strip()]
    return lines if start.endswith((b"\n", b"\r")) else lines[:-1] or lines


def looks_like_pdb(start: bytes) -> bool:
    """Whether the first lines are records of a PDB file, whatever the first of them is."""
    lines = whole_lines(without_comments(start))
    of_pdb = all(_RECORD.match(line) or _ATOM.match(line) for line in lines[:3])
    return of_pdb and any(_ATOM.match(line) or _OWN_RECORD.match(line) for line in lines)


def is_pqr(name: str, start: bytes) -> bool:
    atoms = [line for line in whole_lines(start) if line.startswith((b"ATOM", b"HETATM"))]
    return name.endswith(".pqr") or bool(
        atoms and all(_PQR.match(line) and not _PDB_TEMPERATURE.match(line) for line in atoms[:5])
    )


def refuse_unread(path: str, name: str, start: bytes) -> None:
    """Raises InputError for a file whose first bytes are of a format that is not read. `name`: without its packing's suffix."""
    if found := unread(name, start):
        what, remedy = found
        raise InputError(f"{path}: {what}, which is not read; {remedy.replace('FILE', path)}")


def refuse_no_sequences(path: str, start: bytes) -> None:
    """Raises InputError for a list of sequences of whose first lines, three at least, none begins with residues."""
    lines = [line.split()[0] for line in whole_lines(start)]
    if len(lines) > 2 and not any(re.fullmatch(rb"[A-Za-z]+\*?", line) for line in lines):
        raise InputError(
            f"{path}: no sequences and no format that is read: it begins with {lines[0][:30].decode('ascii', 'replace')!r}; "
            "give FASTA, PDB, mmCIF, a table, or a sequence a line"
        )


def unread(name: str, start: bytes) -> tuple[str, str] | None:
    """(what it is, what to do), or None."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _MMTF.match(start):
        return "MMTF, a format the PDB gave up", "give mmCIF or BinaryCIF"
    if is_pqr(name, text):
        return "a PQR file", "give the PDB or mmCIF it was made from"
    plain = without_comments(text)
    for pattern, what, remedy in _TEXT:
        if pattern.match(text) or pattern.match(plain):
            return what, remedy or _OF_FOLDING
    if text[:1] in (b"{", b"[") and _JSON.search(text):
        return "an AlphaFold 3 input (JSON)", _OF_FOLDING
    lines = plain.splitlines()
    later = next((place for place, line in enumerate(lines[:-1]) if line.startswith(b">")), 0)
    if later and all(re.fullmatch(rb"[A-Za-z*. -]+", line.strip()) for line in lines[:later]):
        return f"text with a FASTA header at line {later + 1} and none before it", "begin with a line such as >name"
    if text.startswith(b";") and not plain.startswith((b">", b"{", b"[")) and not looks_like_pdb(start):
        return "FASTA whose headers begin with ;", "begin them with >"
    return None
