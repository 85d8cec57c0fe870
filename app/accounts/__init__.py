"""Accounts: who may sign in, sessions that can be ended, and attempts that are slowed down.

`store` keeps them, `passwords` hashes, `throttle` counts attempts, `visitor` tells who makes a
request, `views` are the routes, `cli` the commands of an administrator, `demo` the accounts of
`make run`.
"""
