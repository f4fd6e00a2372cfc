"""One command per file; each has ``main(arguments, loaded)``."""
