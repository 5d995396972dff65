"""Every change of your orders, each once, over server-sent events: httpx and httpx-sse.

MARKETPLACE_TOKEN=… python follow_sse.py prints a line of order and version for each. Nothing is lost or doubled over broken
connections and restarted routers: each connection goes on behind the last cursor.
"""

import json
import os
import random
import time

import httpx
from httpx_sse import SSEError, connect_sse

URL = os.environ.get("MARKETPLACE_URL", "http://127.0.0.1:4000/graphql")
QUERY = "subscription { myOrderEvents { kind cursor orderId version status } }"
# The router, or its successor, goes on later; anything else is for a person to mend.
PASSING = {"SERVER_DRAINING", "SLOW_CONSUMER", "UNAVAILABLE", "OVERLOADED", "RATE_LIMITED", "DEADLINE_EXCEEDED"}


class Paused(Exception):
    """The stream goes on from its cursor."""


def token() -> str:
    """A token that has not ended; a real program asks its issuer."""
    return os.environ["MARKETPLACE_TOKEN"]


def check(response: httpx.Response) -> None:
    if response.status_code in (408, 425, 429) or response.status_code >= 500:
        raise Paused(response.status_code)
    response.raise_for_status()


def end_of_stream(client: httpx.Client) -> str:
    """Where the stream is now: asked first, so that a break before the first frame loses nothing."""
    headers = {"authorization": f"Bearer {token()}"}
    response = client.post(URL, json={"query": "{ orderEventsCursor }"}, headers=headers)
    check(response)
    result = response.json()
    if result.get("errors"):
        raise_for(result["errors"])
    return result["data"]["orderEventsCursor"]


def raise_for(errors: list) -> None:
    codes = {error.get("extensions", {}).get("code") for error in errors}
    raise Paused(codes) if codes <= PASSING else RuntimeError(errors)


def follow():
    """Yields frames. GAP says that history is gone: read again what you keep."""
    cursor, wait = None, 0.5
    # A sign of life comes every 12 seconds; longer silence is a broken connection.
    with httpx.Client(timeout=httpx.Timeout(10, read=40)) as client:
        while True:
            try:
                cursor = cursor or end_of_stream(client)
                headers = {"authorization": f"Bearer {token()}", "last-event-id": cursor}
                with connect_sse(client, "POST", URL, json={"query": QUERY}, headers=headers) as source:
                    check(source.response)
                    for event in source.iter_sse():
                        if event.event == "complete":
                            return
                        if event.event != "next":
                            continue
                        result = json.loads(event.data)
                        if result.get("data") is None:
                            raise_for(result["errors"])
                        yield result["data"]["myOrderEvents"]
                        cursor, wait = result["extensions"]["cursor"], 0.5
            except (httpx.TransportError, SSEError, Paused):
                pass
            # At random, so that all clients of one router do not come back at once.
            time.sleep(wait * random.uniform(0.1, 1))
            wait = min(wait * 2, 8)


if __name__ == "__main__":
    for frame in follow():
        print(frame["orderId"], frame["version"], flush=True)
