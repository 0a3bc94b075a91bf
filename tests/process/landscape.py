"""`saga dev` with the shop as a process, and what a test does with it."""
import csv
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import tempfile

import house as h

SERVICES = ("order", "inventory", "payment", "shipping")
PROGRAMS = (*SERVICES, "bank")
WELL = 60  # seconds until all is ready


def die_with_us():
    """In a child: what Meson does to us when time is up must not leave it behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def children(pid):
    """Processes that this one started and that run, as {name: id}."""
    found = {}
    for process in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, rest = process.read_text().rpartition(")")
        except OSError:
            continue
        state, parent = rest.split()[:2]
        if int(parent) == pid and state != "Z":
            found[head.partition("(")[2]] = int(head.split()[0])
    return found


class Command:
    """A program that ran to its end, or runs beside the test. Until it has ended, what it says
    stands in the house's folder: NAME-….out and NAME-….err."""

    def __init__(self, house, args, env):
        self.args, self.code = args, None
        handle, out = tempfile.mkstemp(".out", f"{pathlib.Path(args[0]).name}-", house.folder)
        self.told = (pathlib.Path(out), pathlib.Path(out).with_suffix(".err"))
        with open(handle, "w") as out, open(self.told[1], "w") as err:
            self.process = subprocess.Popen(args, env=env, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=err, preexec_fn=die_with_us)

    def running(self):
        return self.process.poll() is None

    def end(self, seconds=60):
        """Its exit code, once it has ended; `out` and `err` are what it said."""
        try:
            self.process.wait(seconds * h.PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise h.Failure(f"{self} has not ended after {seconds} s") from None
        if self.code is None:
            self.code = self.process.returncode
            self.out, self.err = [path.read_text() for path in self.told]
            for path in self.told:
                path.unlink()
        return self

    def json(self):
        return json.loads(self.out)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.end()

    def __str__(self):
        return " ".join([pathlib.Path(self.args[0]).name, *self.args[1:]])


class Landscape:
    """The shop under `saga dev`, in house.folder/data, on a port that stays the same."""

    def __init__(self, house, config=h.ROOT / "services/shop.ini", server=None, **env):
        self.house, self.config = house, config
        self.server, self.env = server or house.server, env
        self.port = h.free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.dev, self.kills = None, 0
        self.log = open(house.folder / "dev.log", "ab")
        house.open.append(self)

    # ---- as a whole

    def start(self):
        self.dev = subprocess.Popen(
            [self.house.program("saga"), "dev", "--config", str(self.config), "--data",
             str(self.house.folder / "data"), "--nats-port", str(self.port), "--nats-server",
             self.server], env=self.house.environment(**self.env), stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=subprocess.STDOUT, preexec_fn=die_with_us)
        return self.well()

    def well(self):
        """Returns once `saga doctor` finds nothing."""
        doctor = self.begin("saga", "doctor", "--wait", f"{WELL}s")
        h.wait_for("saga doctor ends",
                   lambda: not doctor.running() or self.dev.poll() is not None, WELL + 10)
        h.expect(self.dev.poll() is None, f"saga dev has ended with {self.dev.poll()}: "
                 f"{(self.house.folder / 'dev.log').read_text()[-1000:]}")
        result = doctor.end()
        self.house.open.remove(doctor)
        h.expect(result.code == 0, f"{result} ended with {result.code}: {result.out}{result.err}")
        return self

    def stop(self):
        """As Ctrl-C does."""
        self.dev.send_signal(signal.SIGINT)
        try:
            code = self.dev.wait(40)
        except subprocess.TimeoutExpired:
            raise h.Failure("saga dev does not stop") from None
        self.dev = None
        h.expect(code == 0, f"saga dev was stopped and ended with {code}")
        ours = {each.process.pid for each in self.house.open if isinstance(each, Command)}
        left = {pid: name for pid, name in h.strays(self.house.folder).items() if pid not in ours}
        h.expect(not left, f"saga dev has ended, and left {left}")

    def close(self):
        if self.dev:
            self.stop()
        self.log.close()

    def plight(self):
        """How its services are, what they gave up on, which sagas have not ended."""
        said = []
        for words in (("services",), ("dlq", "ls"), ("outbox",), ("ls", "--status", "stuck"),
                      ("ls", "--status", "running")):
            try:
                result = Command(self.house, [self.house.program("saga"), *words],
                                 self.house.environment(NATS_URL=self.url)).end(20)
                said.append(f"saga {' '.join(words)}\n{result.out[:4000]}{result.err[:500]}")
            except h.Failure as failure:
                said.append(str(failure))
        return "\n".join(said)

    def kill(self):
        if self.dev:
            self.dev.kill()
            self.dev.wait()

    # ---- its programs

    def pid(self, name):
        return children(self.dev.pid).get(name)

    def end_program(self, name, how=signal.SIGKILL):
        """Ends a program of the landscape; returns when another process has taken its place."""
        before = h.wait_for(f"{name} runs", lambda: self.pid(name))
        os.kill(before, how)
        self.kills += 1

        def replaced():
            now = self.pid(name)
            return now and now != before
        h.wait_for(f"saga dev starts {name} again", replaced)

    def wipe_broker(self):
        """The broker dies, and comes back with nothing of what it had stored."""
        before = self.pid("nats-server")
        os.kill(before, signal.SIGSTOP)  # so that it dies after its store has gone
        store = self.house.folder / "data/nats"
        store.rename(store.with_name(f"nats-lost-{before}"))
        os.kill(before, signal.SIGKILL)
        self.kills += 1
        h.wait_for("another broker answers",
                   lambda: self.pid("nats-server") not in (None, before)
                   and self.saga("bootstrap").code == 0)

    # ---- services beside it

    def open_service(self, name, *args):
        """A service that is none of saga dev's; on its data. Returns when it is ready."""
        service = Command(
            self.house, [self.house.program(name), "--data", str(self.house.folder / "data"),
                         *args], self.house.environment(NATS_URL=self.url, **self.env))
        self.house.open.append(service)

        def ready():
            if not service.running():
                raise h.Failure(f"{service} has ended: {service.end().err}")
            return self.services().get(name, {}).get("ready")
        h.wait_for(f"{name} is ready", ready, WELL)
        return service

    def end_service(self, service, how=signal.SIGTERM):
        service.process.send_signal(how)
        code = service.end(30).code
        h.expect(code == (0 if how == signal.SIGTERM else -how),
                 f"{service} ended with {code}: {service.err}")
        self.house.open.remove(service)

    # ---- commands

    def begin(self, name, *args):
        command = Command(self.house, [self.house.program(name), *map(str, args)],
                          self.house.environment(NATS_URL=self.url))
        self.house.open.append(command)
        return command

    def run(self, name, *args, seconds=60):
        command = self.begin(name, *args).end(seconds)
        self.house.open.remove(command)
        return command

    def observe(self, folder, *more):
        """An observer that has read all there is."""
        observer = Command(
            self.house,
            [self.house.program("observer"), "--data", str(self.house.folder / folder), *more],
            self.house.environment(NATS_URL=self.url))
        self.house.open.append(observer)

        def level():
            h.expect(observer.running(), "the observer has ended")
            state = self.saga("services", "observer", "--json")
            return state.code == 0 and state.json()[0]["ready"]
        h.wait_for("the observer is level", level, 60)
        return observer

    def saga(self, *args, seconds=60):
        return self.run("saga", *args, seconds=seconds)

    def shop(self, *args, seconds=60, code=0):
        result = self.run("shop", *args, seconds=seconds)
        h.expect(result.code == code, f"{result} ended with {result.code}, not {code}: "
                 f"{result.out}{result.err}")
        return result

    def services(self):
        """How each service is, as {name: state}."""
        return {each["service"]: each for each in self.saga("services", "--json").json()}

    def audit(self, orders=None):
        """The books, which have to fit; of so many orders."""
        result = self.run("shop", "audit", "--json", "--wait", 60, seconds=90)
        h.expect(result.code == 0, f"the audit ended with {result.code}: "
                 f"{result.out[:4000]}{result.err}")
        books = result.json()
        h.expect(books["ok"] and books["orders"]["open"] == 0, f"the audit says {books}")
        h.expect(orders in (None, books["orders"]["all"]),
                 f"{orders} orders were placed, and the books have {books['orders']}")
        return books

    def seed(self, credit_cents, times=1):
        """Fills the shelves with `times` what the file has in stock for its orders."""
        file = self.house.folder / "products.csv"
        rows = read_csv(data() / "products.csv")
        for row in rows:
            row["units_in_stock"] = int(row["units_in_stock"]) * times * copies()
        write_csv(file, rows)
        self.shop("seed", "--products", file, "--credit", credit_cents)
        return self


def shop_without(house, *names):
    """The shop's configuration without these programs."""
    sections = (h.ROOT / "services/shop.ini").read_text().split("\n[")
    kept = [each for each in sections if each.partition("]")[0] not in names]
    return house.write("part.ini", "\n[".join(kept) + "\n")


def data():
    return h.NORTHWIND if h.NORTHWIND.is_dir() else h.SAMPLE


def copies():
    """How often the file's orders are taken, each time under other ids: there have to be many."""
    return 1 if h.NORTHWIND.is_dir() else 20


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write_csv(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def orders(house, name, most=None, times=1):
    """A file of the orders, `times` under other ids, which begin with `name`; the file, and how
    many they are."""
    rows = [row | {"order_id": f"{name}-{copy}-{row['order_id']}"}
            for copy in range(copies() * times) for row in read_csv(data() / "orders.csv")]
    ids = list(dict.fromkeys(row["order_id"] for row in rows))[:most]
    chosen = set(ids)
    rows = [row for row in rows if row["order_id"] in chosen]
    path = house.folder / f"{name}.csv"
    write_csv(path, rows)
    return path, len(ids)


def ended_orders(result, count):
    """Of `shop import --json`: every order ended, none was refused; the number confirmed."""
    summary = result.json()
    ended = summary["confirmed"] + sum(summary["rejected"].values())
    h.expect(summary["orders"] == ended == count and not summary["refused"],
             f"of {count} orders not all have ended: {summary}")
    return summary["confirmed"]
