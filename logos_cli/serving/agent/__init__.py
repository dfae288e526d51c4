"""The server's model as tools for agents, by the Model Context Protocol."""
