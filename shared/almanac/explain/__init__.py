"""Why a contact gets each message on its day, or why not."""
