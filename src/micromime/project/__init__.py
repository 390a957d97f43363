"""Where everything lies, and what DVC has recorded."""
