"""What workers on many hosts decide, pure: which slots of a schedule are due, what becomes of an attempt."""
