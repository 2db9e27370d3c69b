"""The state of the organizations in a store: the last run and the version in force."""
