"""The command line and the standalone composition: the only code that knows all the parts."""
