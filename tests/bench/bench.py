"""The shop under load: real processes, a real broker, a real disk. Run by scripts/bench.

Numbers of a shared machine are compared with what the same machine does without an engine, in the
same minute: `ratio`s are worth more than rates.
"""
import argparse
import csv
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 60  # seconds for a start
CUSTOMERS = 500
EVENTS = 5  # of an order that is confirmed


class Landscape:
    """saga dev with the shop, in a folder of its own."""

    def __init__(self, folder, build):
        self.folder, self.build = pathlib.Path(folder), build
        self.log = open(self.folder / "dev.log", "w+")
        self.dev = subprocess.Popen(
            [self.program("saga"), "dev", "--config", ROOT / "services/shop.ini",
             "--data", self.folder / "data", "--nats-port", "0"],
            stdout=self.log, stderr=subprocess.STDOUT,
            env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin"})
        self.url = self.wait_for(r"nats://[0-9.:]+")
        self.wait_for("all services are ready")

    def program(self, name):
        return self.build / "out/bin" / name

    def wait_for(self, pattern):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.dev.poll() is None:
            found = re.search(pattern, (self.folder / "dev.log").read_text())
            if found:
                return found.group()
            time.sleep(0.05)
        sys.exit("bench: the shop does not start:\n" + (self.folder / "dev.log").read_text())

    def shop(self, *words):
        ran = subprocess.run([self.program("shop"), "--server", self.url, "--json", *words],
                             stdout=subprocess.PIPE, text=True)
        if ran.returncode != 0:
            sys.exit(f"bench: shop {words[0]} failed, exit code {ran.returncode}")
        return json.loads(ran.stdout)

    def floor(self):
        return json.loads(subprocess.check_output(
            [self.build / "tests/bench/floor", self.url, self.folder], text=True))

    def end(self):
        self.dev.send_signal(signal.SIGINT)
        self.dev.wait()
        self.log.close()


def machine(landscape):
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    server = subprocess.run(["nats-server", "--version"], stdout=subprocess.PIPE, text=True,
                            env={"PATH": f"{os.environ['PATH']}:/usr/sbin"})
    disk = subprocess.check_output(["stat", "-f", "-c", "%T", landscape.folder], text=True)
    return {"cpu": cpu[1] if cpu else platform.machine(), "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1), "kernel": platform.release(),
            "file_system": disk.strip(), "nats_server": server.stdout.strip()}


def run(landscape, name, orders, units, *flags):
    """Imports so many orders of so many units each; returns what `shop import` says."""
    path = landscape.folder / f"{name}.csv"
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["order_id", "customer_id", "sku", "quantity", "unit_price_cents"])
        out.writerows([f"{name}-{i}", f"c{i % CUSTOMERS}", "THING", units, 100]
                      for i in range(orders))
    said = landscape.shop("import", path, *flags)
    return {"orders": orders, "confirmed": said["confirmed"], "seconds": said["seconds"],
            "sagas_per_second": round(said["orders_per_second"], 1),
            "p50_ms": round(said["p50_ms"], 2), "p99_ms": round(said["p99_ms"], 2)}


def throughput(landscape, quick):
    """Orders that are reserved, paid, shipped and confirmed, as many as it takes."""
    run(landscape, "warm", 500, 1)
    floor = landscape.floor()
    result = run(landscape, "throughput", 5_000 if quick else 40_000, 1, "--window", "1000")
    result["floor"] = floor
    events = result["sagas_per_second"] * EVENTS
    result["ratio_to_publishes"] = round(events / floor["publishes_per_second"], 3)
    result["ratio_to_commits"] = round(events / floor["commits_per_second"], 1)
    return result


def undo(landscape, quick):
    """Orders that the carrier refuses: everything before is undone."""
    return run(landscape, "undo", 3_000 if quick else 20_000, 121, "--window", "1000")


def latency(landscape, quick):
    """One order at a time."""
    return run(landscape, "latency", 200 if quick else 2_000, 1, "--window", "1")


CASES = {case.__name__: case for case in (throughput, undo, latency)}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer orders")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--build", default=ROOT / "build-bench", type=pathlib.Path,
                        help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    given = parser.parse_args()
    for name in given.cases:
        if name not in CASES:
            parser.error(f"there is no case {name}; there are: {', '.join(CASES)}")
    folder = tempfile.mkdtemp(prefix="saga-bench-")
    landscape = Landscape(folder, given.build)
    try:
        products = landscape.folder / "products.csv"
        products.write_text("sku,name,unit_price_cents,units_in_stock\nTHING,Thing,100,100000000\n")
        landscape.shop("seed", "--products", products, "--credit", "1000000000")
        facts = machine(landscape)
        report(facts, given, landscape)
    finally:
        landscape.end()
        shutil.rmtree(folder)


def report(facts, given, landscape):
    words = sys.stderr if given.json else sys.stdout
    print(", ".join(f"{name} {value}" for name, value in facts.items()), file=words)
    results = {}
    for name in given.cases or CASES:
        results[name] = result = CASES[name](landscape, given.quick)
        print(f"{name:<12} {result['sagas_per_second']:>9,.1f} sagas/s"
              f"   p50 {result['p50_ms']:,.1f} ms   p99 {result['p99_ms']:,.1f} ms"
              f"   {result['orders']:,} orders, {result['confirmed']:,} confirmed",
              file=words, flush=True)
        if "floor" in result:
            print(f"{'':<12} events a second, of what the broker alone takes:"
                  f" {result['ratio_to_publishes']}; of one connection's commits:"
                  f" {result['ratio_to_commits']}", file=words, flush=True)
    audit = landscape.shop("audit")
    print("audit        " + ("all is well" if audit["ok"] else "VIOLATED"), file=words)
    if given.json:
        first = next(iter(results.values()))
        print(json.dumps({"sagas_per_second": first["sagas_per_second"], "p50_ms": first["p50_ms"],
                          "p99_ms": first["p99_ms"], "audit_ok": audit["ok"], "quick": given.quick,
                          "cases": results, "machine": facts}))


if __name__ == "__main__":
    main()
