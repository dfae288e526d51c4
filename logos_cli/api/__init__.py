"""What Python programs call: a model opened once, and the verbs that use it."""
