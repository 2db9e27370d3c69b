"""Evidence of what was planned, sent or withheld: an archive to keep and to show."""
