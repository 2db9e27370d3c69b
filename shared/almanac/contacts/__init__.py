"""Contacts and their days: who gets what, by name, and how a contact is found."""
