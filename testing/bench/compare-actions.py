#!/usr/bin/env python3
"""Compares two builds of `marketplace` on four actions: create, pay, cart list, comments list.

    testing/bench/compare-actions.py BEFORE AFTER [ROUNDS]

Both builds run side by side, each with a process for each service, a Postgres and a Kafka of its own. Batches alternate
between them, so the machine's noise meets both. A figure is the processor time of the service and of its Postgres for
one action, summed over their threads (/proc/*/task/*/schedstat) and taken as the median of the batches.
"""
import http.client, json, os, signal, statistics, subprocess, sys, tempfile, time, uuid

BATCH = 100
SKU = "139275865"
LINES = "{ id status version total { amount } lines { count } }"


class Shop:
    """A running marketplace of one build."""

    def __init__(self, binary, offset, state):
        self.offset, self.state = offset, state
        self.log = open(os.path.join(state, "up.log"), "w")
        command = [binary, "up", "--processes", "--state-dir", os.path.join(state, "state"), "--port-offset", str(offset),
                   "--kafka-port", str(9092 + offset), "--postgres-port", str(5433 + offset),
                   "--set", "loms.order_ttl=0s"]
        self.up = subprocess.Popen(command, stdout=self.log, stderr=self.log, cwd=state, start_new_session=True)
        self.connections = {}
        self.token = self.ready()

    def ready(self):
        for _ in range(240):
            try:
                answer = self.send(4000, "/demo/token", {"user": "1", "ops": False}, None)
                if "token" in answer and self.graph(4102, "{ __typename }", answer["token"]):
                    return answer["token"]
            except (OSError, http.client.HTTPException, ValueError):
                self.connections.clear()
            time.sleep(0.5)
        raise SystemExit(f"did not start, see {self.log.name}")

    def send(self, port, path, body, token):
        connection = self.connections.get(port)
        if connection is None:
            connection = self.connections[port] = http.client.HTTPConnection("127.0.0.1", port + self.offset, timeout=10)
        headers = {"content-type": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise ValueError(f"{response.status} {text[:300]}")
        return json.loads(text)

    def graph(self, port, query, token=None, variables=None):
        answer = self.send(port, "/graphql", {"query": query, "variables": variables or {}}, token or self.token)
        if "errors" in answer and answer["errors"]:
            raise SystemExit(f"{query}: {answer['errors']}")
        return answer["data"]

    def processes(self, service):
        pid = int(open(os.path.join(self.state, "state", "run", f"{service}.pid")).read().split()[0])
        database = {"comments": "comments_"}.get(service, service)
        backends = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    line = open(f"/proc/{name}/cmdline").read()
                    folder = os.readlink(f"/proc/{name}/cwd")
                except OSError:
                    continue
                if line.startswith("postgres:") and f" {database}" in line and folder.startswith(self.state):
                    backends.append(int(name))
        return [pid], backends

    def stop(self):
        os.kill(self.up.pid, signal.SIGINT)
        self.up.wait(60)


def cpu(pids):
    total = 0
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                total += int(open(f"/proc/{pid}/task/{task}/schedstat").read().split()[0])
        except OSError:
            pass
    return total / 1000


def create(shop):
    query = "mutation($i: CreateOrderInput!) { createOrder(input: $i) { order " + LINES + " userErrors { code } } }"
    lines = [{"sku": SKU, "count": 1}, {"sku": "1625903", "count": 1}]
    for _ in range(BATCH):
        data = shop.graph(4102, query, variables={"i": {"lines": lines, "idempotencyKey": str(uuid.uuid4())}})
        yield data["createOrder"]["order"]["id"]


def pay(shop):
    query = "mutation($i: PayOrderInput!) { payOrder(input: $i) { order " + LINES + " userErrors { code } } }"
    for id in shop.orders:
        data = shop.graph(4102, query, variables={"i": {"orderId": id, "idempotencyKey": str(uuid.uuid4())}})
        assert data["payOrder"]["order"]["status"] == "PAID", data
    shop.orders = []


def cart_list(shop):
    for _ in range(BATCH):
        data = shop.graph(4101, "{ me { cart { itemCount lines { count product { name price { amount } } } } } }")
        assert len(data["me"]["cart"]["lines"]) == 5, data


def comments_list(shop):
    query = '{ _entities(representations: [{__typename: "Product", sku: "%s"}]) { ... on Product { comments(first: 20) { nodes { id text createdAt } } } } }' % SKU
    for _ in range(BATCH):
        data = shop.graph(4103, query)
        assert len(data["_entities"][0]["comments"]["nodes"]) == 20, data


ACTIONS = [("create", "loms", None), ("pay", "loms", pay), ("cart list", "cart", cart_list), ("comments list", "comments", comments_list)]


def measured(shop, service, action):
    own, backends = shop.processes(service)
    before = cpu(own), cpu(backends)
    started = time.perf_counter()
    if action is None:
        shop.orders = list(create(shop))
    else:
        action(shop)
    wall = (time.perf_counter() - started) * 1e6 / BATCH
    return (cpu(own) - before[0]) / BATCH, (cpu(backends) - before[1]) / BATCH, wall


def prepare(shop):
    add = "mutation($i: AddToCartInput!) { addToCart(input: $i) { userErrors { code } } }"
    for sku in [SKU, "1076963", "2958025", "1148162", "2618151"]:
        shop.graph(4101, add, variables={"i": {"sku": sku, "count": 1}})
    comment = "mutation($i: AddCommentInput!) { addComment(input: $i) { userErrors { code } } }"
    for number in range(30):
        shop.graph(4103, comment, variables={"i": {"sku": SKU, "text": f"comment {number}"}})


def main():
    before, after = (os.path.abspath(path) for path in sys.argv[1:3])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    with tempfile.TemporaryDirectory(prefix="marketplace-compare-") as folder:
        os.chmod(folder, 0o755)
        shops = []
        try:
            for name, binary, offset in (("before", before, 20000), ("after", after, 21000)):
                state = os.path.join(folder, name)
                os.mkdir(state)
                shops.append(Shop(binary, offset, state))
                prepare(shops[-1])
            figures = {}
            for round in range(rounds + 2):
                for name, service, action in ACTIONS:
                    for place in ((0, 1) if round % 2 == 0 else (1, 0)):
                        figure = measured(shops[place], service, action)
                        if round >= 2:
                            figures.setdefault((name, place), []).append(figure)
            print("| action | service before | after | ratio | Postgres before | after | ratio | wall before | after |")
            print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
            for name, _, _ in ACTIONS:
                old = [statistics.median(column) for column in zip(*figures[name, 0])]
                new = [statistics.median(column) for column in zip(*figures[name, 1])]
                print(f"| {name} | {old[0]:.0f} µs | {new[0]:.0f} µs | {new[0] / old[0]:.3f} | {old[1]:.0f} µs | {new[1]:.0f} µs"
                      f" | {new[1] / max(old[1], 1):.3f} | {old[2]:.0f} µs | {new[2]:.0f} µs |")
        finally:
            for shop in shops:
                shop.stop()


main()
