"""What a channel is told after a run: states, not runs. Pure; see ``docs/notices.md``."""
