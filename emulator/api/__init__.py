"""The control API: what an operator or a test may ask of a run, over HTTP."""
