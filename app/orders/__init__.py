"""Orders: placed by customers, moved on by operators, followed by both.

`store` keeps them, `outbox` tells of each change once it is kept, `hooks` guard whose they are,
`views` are the routes.
"""
