"""What `flask sse doctor` knows: checks of an app and of its server, and probes from outside.

Floor 3. Runs beside the application, never in it; what a probe asks of a running server is
`diagnosis`.
"""
