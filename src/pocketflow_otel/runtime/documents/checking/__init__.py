"""Whether the parts of a document fit together: one module for each kind of question."""
