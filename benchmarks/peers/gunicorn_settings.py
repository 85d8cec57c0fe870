"""Settings of gunicorn, the same for each peer that runs on it."""

workers = 1
worker_connections = 20_000
backlog = 4096
timeout = 600
loglevel = "warning"

# Its socket would lie in the home folder, one for all servers of the user.
control_socket_disable = True
