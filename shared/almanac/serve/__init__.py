"""`almanac serve`: pages about one database in the browser, read only."""
