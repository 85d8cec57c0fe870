"""The console in a browser, served by two workers as it is deployed: each panel, and its end."""
