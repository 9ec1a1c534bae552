"""Other libraries on the same nets, each in a process, and if need be in an environment, of its own."""
