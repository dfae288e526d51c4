"""Stored records as pictures and pages."""
