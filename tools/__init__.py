"""Programs for developers of this project: mutation runs, coverage of alerts by tests, and the manual."""
