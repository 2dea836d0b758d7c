"""Timetable, job runs and their status."""
