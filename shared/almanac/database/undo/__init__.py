"""What each command changed in a file, kept in the file so that it can be put back."""
