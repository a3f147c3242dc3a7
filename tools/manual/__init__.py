"""Generates the manual's pages and pictures that are derived from the program, and builds the site of all pages."""
