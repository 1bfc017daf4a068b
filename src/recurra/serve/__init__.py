"""A model behind HTTP and WebSockets: predictions, streams, a page."""
