"""The export of a fitted classifier to other runtimes."""
