"""How real a market looks: stylized facts of its tape beside those of real markets, as a table and as a page.

It only reads: whatever it is told of, a running market or recorded files, comes out as it went in.
"""
