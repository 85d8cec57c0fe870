"""What is generated from declared routes: documents, and clients in several languages.

Floor 1. Everything in here reads a `Catalogue` and returns text or plain values.
"""
