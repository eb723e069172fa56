"""How the programs talk: frames, TLS, trust, and the message tables."""
