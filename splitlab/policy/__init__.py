"""Policies: pure hooks that the training loop asks; each kind is a table, a new policy is one class in one file."""
