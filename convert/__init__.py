"""Checkpoint in, unquantized model file out."""
