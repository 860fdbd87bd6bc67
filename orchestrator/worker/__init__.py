"""The entrance of hosts that carry out what others submit: an engine wakes, the run's own row decides."""
