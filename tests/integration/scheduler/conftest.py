"""The fixtures of these tests."""

from tests.support.rest import api

__all__ = ["api"]
