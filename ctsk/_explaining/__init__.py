"""Explaining rows: from a request to an Explanation."""
