"""The verbs, a module per group. What needs PyTorch is imported inside a verb, after all that can be refused before."""
