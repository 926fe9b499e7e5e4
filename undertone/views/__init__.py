"""How insights, trends and conversations look in a terminal: the read API's answers in, renderables out. Pure."""
