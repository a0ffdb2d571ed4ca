"""Training: runs that can be stopped and go on, and encoders for any generator."""
