"""The state of the organizations in a store: what each last run did and which version is in force."""
