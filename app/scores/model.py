"""What the stream of scores tells."""

from datetime import date

from pydantic import BaseModel


class Result(BaseModel):
    """`number` counts the matches of the season from 1, `day` the days on which there were any."""

    number: int
    day: int
    date: date
    home: str
    away: str
    home_goals: int
    away_goals: int


class Played(Result):
    """A result as it comes in; `season` counts how often the season has been replayed."""

    season: int


class Season(BaseModel):
    """It begins again."""

    season: int


class SoFar(Season):
    """What has been published of a season, and how many matches and days it has."""

    of: int
    days: int
    results: list[Result]
