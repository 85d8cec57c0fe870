"""Settings of `gunicorn wsgi:app`, read from the folder it is started in."""

import os

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"

worker_class = "flask_sse_routes.gunicorn.SSEWorker"
worker_connections = 2000

# What they publish they share: by the file of the SQLite broker, or by Redis.
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))

# Streams end at once when a worker is told to stop; this is the time that plain requests have.
graceful_timeout = 30
keepalive = 2

# Its socket would lie in the home folder, one for all servers of the user.
control_socket_disable = True

accesslog = "-"
access_log_format = '%(h)s "%(r)s" %(s)s in %(M)s ms'
