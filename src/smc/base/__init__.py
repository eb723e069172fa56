"""What every other package stands on: errors, running programs, files, settings, log, units."""
