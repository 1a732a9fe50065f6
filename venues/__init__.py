"""What each exchange says and expects: bytes in -> actions, events in -> bytes. No sockets, no clock, no I/O."""
