"""The platform's Pulumi components, one folder for each part. Only configuration.py reads Pulumi's configuration."""
