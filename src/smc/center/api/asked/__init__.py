"""What an operator asks of a job, checked and put into a draft: one file a subject."""
