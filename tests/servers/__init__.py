"""Real servers for the tests, each from a package of binaries, on a free port, stopped when the tests end."""
