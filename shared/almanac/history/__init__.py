"""What became of a contact's messages from version to version, or from command to command."""
