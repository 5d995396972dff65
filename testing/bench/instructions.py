#!/usr/bin/env python3
"""Counts the instructions that one request costs the federation engine, and compares with what is committed.

    testing/bench/instructions.py BINARY [--write]
    cargo bench … --no-run --message-format=json | testing/bench/instructions.py --executable

BINARY is the bench `instructions` of router/federation. It runs under callgrind with two numbers of requests; the difference
is what the requests cost, without the start. No noise of the machine enters, but another compiler, valgrind or processor
counts otherwise, so there the comparison is left out, loudly. Fails when a query costs over 3 % more than is committed.
"""
import json, os, platform, re, shutil, subprocess, sys

COMMITTED = os.path.join(os.path.dirname(__file__), "instructions.json")
# Few and many requests: those with a plan of their own are dear.
QUERIES = {"benchmark": (2, 12), "two-hops": (10, 60), "one-hop": (10, 110), "benchmark-text": (2, 6),
           "two-hops-text": (2, 12), "benchmark-planned": (2, 6), "two-hops-planned": (2, 12)}
MAY_GROW = 1.03


def executable():
    """The binary among cargo's messages."""
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "instructions":
            print(message["executable"])


def collected(binary, query, requests):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", binary, query, str(requests)]
    run = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode or not found:
        sys.exit(f"{' '.join(command)} failed:\n{run.stdout}{run.stderr}")
    return int(found.group(1))


def said(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def skipped(reason):
    print(f"\n*** SKIPPED: {reason} ***\n", file=sys.stderr)


def compare(counted, committed):
    """Prints a line for each query, and gives those that grew."""
    grown = []
    for query, count in counted.items():
        before = committed["requests"].get(query)
        change = f"{100 * (count / before - 1):+7.2f} %" if before else "    new"
        print(f"{query:<20} {count:>12,} {change}")
        if before and count > before * MAY_GROW:
            grown.append(query)
    return grown


def main():
    if "--executable" in sys.argv:
        return executable()
    binary, write = sys.argv[1], "--write" in sys.argv
    if not shutil.which("valgrind"):
        return skipped("no valgrind, so no instructions are counted (apt-get install valgrind)")
    where = ", ".join([said(["rustc", "--version"]), said(["valgrind", "--version"]), platform.machine()])
    counted = {}
    for query, (few, many) in QUERIES.items():
        difference = collected(binary, query, many) - collected(binary, query, few)
        counted[query] = difference // (many - few)
    with open(COMMITTED) as file:
        committed = json.load(file)
    grown = compare(counted, committed)
    if write:
        with open(COMMITTED, "w") as file:
            json.dump({"counted_with": where, "requests": counted}, file, indent=2)
            file.write("\n")
    elif committed["counted_with"] != where:
        skipped(f"counted with {where}, committed with {committed['counted_with']}, so they are not compared")
    elif grown:
        sys.exit(f"over 3 % more instructions than {COMMITTED} has: {', '.join(grown)}. Mend it, or write the new numbers "
                 "with `make bench-router-instructions WRITE=1` and say in the commit why they are right")


main()
