"""The simulated cloud, and the simulated year of an agency."""
