"""What agents and receivers talk to: the messages of wire/orders.py over TLS."""
