"""The provider of `promptfooconfig.yaml`: promptfoo loads a file, and calls `call_api` in it."""

from guardkit.integrations.promptfoo import call_api

__all__ = ["call_api"]
