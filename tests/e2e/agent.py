"""What the program of the end-to-end tests prints, and what its trace looks like."""

OUTPUT = "asking\n{'answer': 'yes', 'checked': [3, 3]}\n"

OUTLINE = """\
invoke_workflow Flow -> default +answer,checked
  invoke_node Ask #1 -> answered -> Checks +answer
  invoke_workflow Checks flow #1 -> default +checked
    invoke_node Check batch #1 -> default items=2 +checked
      item 0
        attempt 1
      item 1 attempts=2
        attempt 1 ValueError
        attempt 2"""
