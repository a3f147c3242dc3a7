"""What people run against a stack: drills that prove the alerting pipeline, and what they need to reach it."""
