"""What tests share: builders of databases, clouds, callers of the program."""
