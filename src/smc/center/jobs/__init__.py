"""Jobs as durable workflows: migrate.py is the story, steps/ what it is made of, runner.py keeps it going."""
