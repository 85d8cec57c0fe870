"""What the console consists of: its panels, in the order of the navigation."""

from typing import NamedTuple


class Panel(NamedTuple):
    """A page of the console, whose template and script have its name."""

    name: str
    path: str
    title: str
    # One sentence below the title.
    says: str
    # Unless the console is open to all.
    is_for_operators: bool = False


PANELS = (
    Panel("overview", "/", "Overview", "Notifications of everybody who has this console open."),
    Panel("dashboard", "/dashboard", "Dashboard", "The machine that this console runs on, live."),
    Panel("logs", "/logs", "Logs", "What the server writes to its log, line by line.", True),
    Panel("tasks", "/tasks", "Tasks", "Work that takes a while, and how far it has come."),
    Panel("prices", "/prices", "Prices", "Real month-end prices of 2000 to 2010, replayed."),
    Panel("scores", "/scores", "Scores", "A real football season, replayed match by match."),
    Panel("orders", "/orders", "Orders", "Each order from the shelf to the door."),
    Panel("about", "/about", "About", "What this console is made of, and every route it has."),
)
