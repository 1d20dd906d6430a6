"""The commands of the command line, a module each; nothing heavy is imported before one runs."""
