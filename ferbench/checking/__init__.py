"""The conformance kit: what a plugin promises, checked without its data and without a run."""
