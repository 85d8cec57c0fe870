"""What a page's run fails with: where, what the page says, what really happened."""


class PageFailure(AssertionError):
    """A block does not do what the page says."""
