"""Breaking a client on purpose, reproducibly: rules that say when and where, faults that say what."""
