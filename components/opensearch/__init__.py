"""What the platform sets up in an OpenSearch, which stores its traces and the lines of requests."""
