"""Plans: what is wanted, read from YAML and checked before anything is sent."""
