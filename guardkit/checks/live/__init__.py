"""What each kind does: one file a kind with its `bind`, loaded when a kind is bound."""
