"""The parts of an explanation, each from the same case: one contact, planned on its own."""
