"""What scripts of clients that stay share: how steadily steps of time were heard, told whenever stdin has a line."""

import json
import sys
import threading


class Heard:
    """Steps of time, as one by one they were told: `step_ms` apart, or some are missing."""

    def __init__(self, step_ms):
        self.step_ms = step_ms
        self.first = self.last = self.steps = self.missed = self.cuts = 0

    def at(self, time_ms):
        if time_ms == self.last:
            return
        if self.last:
            self.missed += time_ms != self.last + self.step_ms
        else:
            self.first = time_ms
        self.last = time_ms
        self.steps += 1

    def tell(self):
        """Answer every line until there is no other; then the program is over."""
        for _ in sys.stdin:
            print(json.dumps(vars(self)), flush=True)

    def tell_aside(self):
        thread = threading.Thread(target=self.tell, daemon=True)
        thread.start()
        return thread
