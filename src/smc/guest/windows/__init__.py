"""Windows in a disk image: read from the disk without its drivers, judged without starting it."""
