"""The command line: thin, one file per verb, each imported when it is called."""
