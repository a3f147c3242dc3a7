"""Programs for developers of this project: mutation runs, proofs of coverage, the manual."""
