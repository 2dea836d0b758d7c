"""A language model's words over the evidence of statistics; the numbers stay theirs."""
