"""Words, tables, charts, figures, explanations and pages of what came out."""
