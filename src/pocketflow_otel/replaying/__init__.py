"""Shows saved traces again, through the live console and at the pace of the run."""
