"""A shelf of files: put one on it, take one from it, with a checksum both ways."""
