"""Engines and records in, figures out."""
