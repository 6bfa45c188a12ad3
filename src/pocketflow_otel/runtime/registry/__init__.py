"""Node types: what a document can name, where it comes from, and what it takes."""
