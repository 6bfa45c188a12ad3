"""What calls of language models used and cost: where usage is known, what it is priced at, and whose it is."""
