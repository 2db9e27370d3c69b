"""The status of the organizations of a store: current version, runs, backlog, errors, data."""
