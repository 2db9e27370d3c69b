"""The command line `almanac`: a module for each command or group, and what they share."""
