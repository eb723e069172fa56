"""The migration test: what is judged before anything is moved, and the report that is kept."""
