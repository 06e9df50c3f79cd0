"""The operators' web pages: Flask and Jinja2, drawn by the server, over `smartlink.operations`."""
