"""Workflow documents: read with the place of every value, checked, and described for editors."""
