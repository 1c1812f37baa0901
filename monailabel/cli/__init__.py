"""The command line: the library's verbs, under the same names."""
