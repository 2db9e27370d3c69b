"""Looking at campaigns and changing them, in a file or in a store: what `almanac campaign` does."""
