"""The door by which notices leave: a web hook, or a service behind the extra ``notify``."""
