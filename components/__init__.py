"""The platform's Pulumi components, one noun per file, and the settings they are given."""
