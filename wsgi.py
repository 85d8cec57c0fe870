"""The WSGI entry: `flask run` and `gunicorn wsgi:app` find the application here."""

from app import create_app

app = create_app()
