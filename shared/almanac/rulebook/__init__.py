"""The state rules that a configuration plans by, their dates and sources (`almanac rules`)."""
