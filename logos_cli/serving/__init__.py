"""One model for many askers: an HTTP server, and tools for agents."""
