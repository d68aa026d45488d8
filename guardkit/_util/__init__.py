"""Helpers that know nothing about guardkit; import the sibling module you need."""
