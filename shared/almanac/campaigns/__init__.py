"""Campaign types, instances and targets: queries, changes and imports."""
