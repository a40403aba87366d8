"""Options of commands that have many of them, and the command line of some; nothing heavy is imported here."""
