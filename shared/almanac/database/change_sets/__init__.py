"""Change sets of SQLite's session extension: counted, applied, made of two files, written out."""
