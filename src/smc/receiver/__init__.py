"""The program on the intermediate instance."""
