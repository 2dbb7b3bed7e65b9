"""Ratios, all from one run on one machine: against a floor program that does the least, and against peer libraries."""
