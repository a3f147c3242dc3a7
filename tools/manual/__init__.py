"""The manual's pages and pictures that follow from the program, and the site of all pages."""
