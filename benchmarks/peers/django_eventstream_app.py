"""django-eventstream, in one process: what is sent waits in a list for each client."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django_eventstream",
    ],
    LOGGING_CONFIG=None,
    MIDDLEWARE=[],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a benchmark",
)
django.setup()

# Imported when the settings are there: these modules read them.
from django.core.asgi import get_asgi_application  # noqa: E402  # see above
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse  # noqa: E402  # see above
from django.urls import path  # noqa: E402  # see above
from django_eventstream import send_event  # noqa: E402  # see above
from django_eventstream.views import events, get_listener_manager  # noqa: E402  # see above
from workload import item, message, seconds_until  # noqa: E402  # see above

CHANNEL = "bench"


async def publish(request: HttpRequest) -> JsonResponse:
    count, rate = int(request.GET["count"]), float(request.GET.get("rate", 0))
    begun = time.monotonic()
    for number in range(count):
        await asyncio.sleep(seconds_until(begun, number, rate) if rate else 0)
        send_event(CHANNEL, "message", message(number))
    return JsonResponse({})


async def items(count: int) -> AsyncIterator[str]:
    for number in range(count):
        yield f"data: {json.dumps(item(number))}\n\n"


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    count = int(request.GET["count"])
    return StreamingHttpResponse(items(count), content_type="text/event-stream")


async def subscribers(request: HttpRequest) -> JsonResponse:
    listeners = get_listener_manager().listeners_by_channel.get(CHANNEL, ())
    return JsonResponse({"subscribers": len(listeners)})


async def plain(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"hello": "world"})


urlpatterns = [
    path("events", events, {"channels": [CHANNEL]}),
    path("publish", publish),
    path("stream", stream),
    path("subscribers", subscribers),
    path("json", plain),
]

app = get_asgi_application()
