"""guardkit."""
