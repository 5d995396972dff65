"""Every change of your orders, each once, over a WebSocket: gql with its websockets transport.

MARKETPLACE_TOKEN=… python follow_ws.py prints a line of order and version for each. gql reconnects without a cursor, so the
loop is here: a connection a time, each behind the last cursor, by the argument `after`.
"""

import asyncio
import os
import random

from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportConnectionFailed, TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport
from websockets.exceptions import ConnectionClosed

URL = os.environ.get("MARKETPLACE_URL", "http://127.0.0.1:4000/graphql").replace("http", "ws", 1)
END = GraphQLRequest("{ orderEventsCursor }")
QUERY = """subscription ($after: Cursor) {
  myOrderEvents(after: $after) { kind cursor orderId version status }
}"""
PASSING = {"SERVER_DRAINING", "SLOW_CONSUMER", "UNAVAILABLE", "OVERLOADED", "RATE_LIMITED", "DEADLINE_EXCEEDED"}


def token() -> str:
    """A token that has not ended; a real program asks its issuer."""
    return os.environ["MARKETPLACE_TOKEN"]


def transport() -> WebsocketsTransport:
    return WebsocketsTransport(
        url=URL,
        init_payload={"authorization": f"Bearer {token()}"},
        # By default gql offers the legacy protocol too, and may take the router's answer for it.
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
        # The router sends a ping every 12 seconds, and so does websockets to the router.
        ping_interval=15,
        pong_timeout=25,
    )


def passes(error: TransportQueryError) -> bool:
    codes = {fault.get("extensions", {}).get("code") for fault in error.errors or []}
    return bool(codes) and codes <= PASSING


async def follow():
    """Yields frames. GAP says that history is gone: read again what you keep."""
    cursor, wait = None, 0.5
    while True:
        try:
            async with Client(transport=transport()) as session:
                if cursor is None:
                    cursor = (await session.execute(END))["orderEventsCursor"]
                request = GraphQLRequest(QUERY, variable_values={"after": cursor})
                async for result in session.subscribe(request):
                    frame = result["myOrderEvents"]
                    yield frame
                    cursor, wait = frame["cursor"], 0.5
                return
        except TransportQueryError as error:
            if not passes(error):
                raise
        except (TransportError, TransportConnectionFailed, ConnectionClosed, OSError, asyncio.TimeoutError):
            pass
        await asyncio.sleep(wait * random.uniform(0.1, 1))
        wait = min(wait * 2, 8)


async def main() -> None:
    async for frame in follow():
        print(frame["orderId"], frame["version"], flush=True)


if __name__ == "__main__":
    asyncio.run(main())
