"""Fitted estimators as plain values and as files, and certificates of explanations."""
