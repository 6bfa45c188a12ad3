"""What is recorded of values, of the shared store and of printed text, and how it is kept private."""
