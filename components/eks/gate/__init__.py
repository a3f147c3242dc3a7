"""The gate between the load balancer and pages that know no groups."""
