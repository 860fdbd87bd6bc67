"""Journal, archive and upkeep in portable SQL, over a small engine that each database implements."""
