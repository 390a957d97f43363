"""Tables of verdicts, as Markdown."""
