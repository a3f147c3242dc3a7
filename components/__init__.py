"""The platform's Pulumi components, in a folder for each part. Only configuration.py reads Pulumi's configuration."""
