"""What to send next: ``schedule`` joins the line of ``creations``, sent with ``caution``, and ``polls``."""
