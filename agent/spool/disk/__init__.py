"""The spool in a file: opened, salvaged when it is damaged, and done without while the disk can't be used."""
