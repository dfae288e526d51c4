"""What one request may ask for, and how many may ask at once."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLES = 256  # answers of one row or prompt
CHARACTERS = 64  # of a row or prompt, for each token of the model's context: more cannot fit


@dataclass(frozen=True)
class Limits:
    """`body` bytes and `rows` of one request, `tokens` of an answer, `queue` requests at once, those that wait included."""

    body: int = 8_000_000
    rows: int = 1_000
    tokens: int = 1_000
    queue: int = 256

    @property
    def answers(self) -> int:
        """Of one request."""
        return 32 * self.rows
