"""The fixtures of these tests."""

from tests.support.rest import api, elsewhere

__all__ = ["api", "elsewhere"]
