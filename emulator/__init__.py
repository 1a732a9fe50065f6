"""Everything that touches the world: sockets, time, files, the control API, the command line, the SDK.

Venues are met only through venues.base; no venue's name appears in the code of this package.
"""
