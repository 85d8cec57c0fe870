"""The tables of the console's database, made by `database` when a process finds them missing.

Only ever add to the list: its length is the version that the file remembers.
"""

ACCOUNTS = """
CREATE TABLE IF NOT EXISTS accounts (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('customer', 'operator')),
    password TEXT NOT NULL,
    created REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS sessions (
    token TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    expires REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS sessions_by_account ON sessions (account);
CREATE TABLE IF NOT EXISTS attempts (
    key TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    latest REAL NOT NULL
)
"""

ORDERS = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    item TEXT NOT NULL,
    quantity INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_by_account ON orders (account);
CREATE TABLE IF NOT EXISTS steps (
    order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('placed', 'packed', 'shipped', 'delivered')),
    at REAL NOT NULL,
    by TEXT NOT NULL,
    PRIMARY KEY (order_id, state)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    channel TEXT NOT NULL,
    body TEXT NOT NULL
)
"""

TASKS = """
CREATE TABLE IF NOT EXISTS tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ordered TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    by TEXT,
    state TEXT NOT NULL,
    cancelling INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    started REAL,
    finished REAL,
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER,
    unit TEXT NOT NULL,
    problem TEXT,
    result TEXT,
    updated REAL NOT NULL,
    owner TEXT,
    lease REAL
);
CREATE INDEX IF NOT EXISTS tasks_by_state ON tasks (state);
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    at REAL NOT NULL
)
"""

POSTS = """
CREATE TABLE IF NOT EXISTS posts (
    key TEXT PRIMARY KEY,
    due REAL NOT NULL
)
"""

SEASONS = """
CREATE TABLE IF NOT EXISTS seasons (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    season INTEGER NOT NULL,
    played INTEGER NOT NULL
)
"""

SCHEMAS = (ACCOUNTS, ORDERS, TASKS, POSTS, SEASONS)
