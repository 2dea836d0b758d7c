"""The hot way in: triggers, observations and other tools' alerts become inbox rows, answered after their commit."""
