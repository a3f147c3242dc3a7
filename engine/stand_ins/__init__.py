"""Stand-ins for Pulumi's providers, used if the official plugins are not installed."""
