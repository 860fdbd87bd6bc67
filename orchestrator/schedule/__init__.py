"""What to send next: ``schedule`` joins the queue of ``creations`` and the tests of ``looking``."""
