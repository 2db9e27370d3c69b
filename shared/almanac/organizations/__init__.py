"""Where the database of an organization is, and how it is opened, edited and transferred."""
