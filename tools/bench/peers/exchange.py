"""Talks with the Node side: one JSON request a line, one JSON answer a line; arrays lie in a folder as .npy files."""

import json
import sys


def serve(answers):
    """Answers requests `{"do": NAME, ...}` until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        answer = answers[request.pop("do")](**request)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
