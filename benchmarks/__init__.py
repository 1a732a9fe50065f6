"""What the emulator costs, measured beside references simple enough to be read: `scripts/bench`.

Figures of one machine mean little; ratios to a reference measured in the same run carry over.
"""
