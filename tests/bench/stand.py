"""Real processes under load: a broker, and the shop or its floor, in a folder of their own. What
fails leaves its folder, and prints where that is; what is interrupted leaves nothing."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/process"))
import house  # noqa: E402
import landscape  # noqa: E402
import raw_nats  # noqa: E402

PATIENCE = 60  # seconds, for a start or a stop
SERVICES = ("order", "inventory", "payment", "shipping")
CREDIT = 10**12  # cents of each account: nobody runs out of money
STOCK = "sku,name,unit_price_cents,units_in_stock\nTHING,Thing,100,1000000000\n"

Failure = house.Failure


class Skipped(Exception):
    """A case that cannot be measured here; the text says why."""


def wait_for(what, ready, process, seconds=PATIENCE):
    """As house.wait_for, of a process that has to run meanwhile."""
    def look():
        house.expect(process.poll() is None, f"{what} never came: it ended")
        return ready()
    return house.wait_for(what, look, seconds)


def said(*command):
    """What a program prints; a Failure with its reason where it fails."""
    ran = subprocess.run(command, capture_output=True, text=True)
    house.expect(ran.returncode == 0, f"{pathlib.Path(command[0]).name} ended with "
                 f"{ran.returncode}: {ran.stderr.strip()}")
    return ran.stdout


def begun(command, stdout, stderr):
    return subprocess.Popen(command, stdout=stdout, stderr=stderr,
                            preexec_fn=landscape.die_with_us)


class Broker:
    """So many nats-servers with JetStream on free ports, and the engine's streams in each."""

    def __init__(self, folder, server, nodes=1, sync=None):
        self.folder, self.server, self.sync = folder, server, sync
        self.ports = [house.free_port() for _ in range(nodes)]
        self.url = ",".join(f"nats://127.0.0.1:{port}" for port in self.ports)
        self.log = open(folder / "nats.log", "w")
        self.processes, self.nats = [], None

    def start(self, build):
        nodes = len(self.ports)
        routes = [house.free_port() for _ in range(nodes)]
        for nth, port in enumerate(self.ports):
            words = [self.server, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd",
                     self.folder / f"nats-{nth}"]
            if nodes > 1:
                words += ["-n", f"n{nth}", "--cluster_name", "bench", "--cluster",
                          f"nats://127.0.0.1:{routes[nth]}", "--routes",
                          ",".join(f"nats://127.0.0.1:{each}" for each in routes)]
            if self.sync:
                config = self.folder / f"nats-{nth}.conf"
                config.write_text(f'jetstream {{ sync_interval: "{self.sync}" }}\n')
                words += ["-c", config]
            self.processes.append(begun(words, self.log, self.log))
        wait_for("the nats-server listens", self.listens, self.processes[0])
        command = [build / "saga/cli/saga", "bootstrap", "--server", self.url, "--replicas",
                   str(nodes)]
        house.wait_for("the streams are made",
                       lambda: subprocess.run(command, capture_output=True).returncode == 0)

    def listens(self):
        try:
            self.nats = raw_nats.RawNats(self.ports[0])
            return True
        except OSError:
            return False

    def events(self, kind):
        """How many of "payment.done.PaymentTaken" the stream has."""
        body = json.dumps({"subjects_filter": f"saga.{kind}.>"}).encode()
        info = self.nats.request("$JS.API.STREAM.INFO.SAGA", body)
        return sum((json.loads(info)["state"].get("subjects") or {}).values())

    def end(self):
        if self.nats:
            self.nats.close()
        for process in self.processes:
            stop(process)
        self.log.close()


class Site:
    """Processes on a broker, in a folder of their own."""

    def __init__(self, build, server, **broker):
        self.build = build
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="saga-bench-"))
        self.processes, self.loads, self.runs = {}, [], 0
        self.broker = Broker(self.folder, server, **broker)
        self.url = self.broker.url
        try:
            self.broker.start(build)
            self.furnish()
        except BaseException as reason:
            self.end(reason)
            raise

    def spawn(self, name, command, stdout=None):
        with open(self.folder / f"{name}.log", "a") as log:
            return begun(command, stdout or log, log)

    def start(self, name):
        self.processes[name] = self.spawn(name, self.command(name))

    def split(self, name, shards):
        """A service that is stopped is to run in so many shards."""
        if shards > 1:
            said(*self.command(name, "--reshard", str(shards)))

    def open(self, name, shards):
        if shards == 1:
            return self.start(name)
        for nth in range(shards):
            shard = f"{name}-{nth}-of-{shards}"
            self.processes[shard] = self.spawn(shard, self.command(name, "--shard",
                                                                   f"{nth}/{shards}"))

    def ready(self, name):
        log = self.folder / f"{name}.log"
        wait_for(f"{name} is ready", lambda: re.search(r"\bready$", log.read_text(), re.M),
                 self.processes[name])

    def stop(self, name):
        stop(self.processes.pop(name))

    def kill(self, name):
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def load_command(self, orders, **flags):
        self.runs += 1
        words = [self.build / "tests/bench/load", self.url.split(",")[0], "--orders", str(orders),
                 "--prefix", f"r{self.runs}", *self.load_flags]
        for name, value in flags.items():
            words += [f"--{name}", str(value)]
        return words

    def load(self, orders, **flags):
        return self.loaded(self.begin_load(orders, **flags))

    def begin_load(self, orders, **flags):
        """A load beside what the case does; loaded() waits for its figures."""
        load = self.spawn("load", self.load_command(orders, **flags), subprocess.PIPE)
        self.loads.append(load)
        return load

    def loaded(self, load):
        figures = load.communicate()[0]
        self.loads.remove(load)
        house.expect(load.returncode == 0, f"the load ended with {load.returncode}")
        return json.loads(figures)

    def end_load(self, load):
        self.loads.remove(load)
        load.kill()
        load.communicate()

    def rest(self):
        """Waits until the services that run have read and sent all that there is."""
        house.wait_for("all is read and sent", lambda: all(
            each.get("lag") == 0 and each["outbox"]["unsettled"] == each["calls"] == 0
            for each in self.services() if each["service"] in self.processes), 300)

    def services(self):
        return json.loads(said(self.build / "saga/cli/saga", "services", "--server", self.url,
                               "--json"))

    def mib(self, name, suffix):
        path = self.folder / name / f"{name}{suffix}"
        return path.stat().st_size / 2**20 if path.exists() else 0

    def last_words(self):
        return "\n".join(f"{path.name}: {path.read_text().strip()[-300:]}"
                         for path in sorted(self.folder.glob("*.log")) if path.name != "nats.log")

    def cpu(self):
        """Seconds of CPU that each process has had."""
        pids = {name: process.pid for name, process in self.processes.items()}
        broker = sum(cpu_seconds(each.pid) for each in self.broker.processes)
        return {"nats-server": broker, **{name: cpu_seconds(pid) for name, pid in pids.items()}}

    def wake_ups(self):
        return {name: wake_ups(process.pid) for name, process in self.processes.items()}

    def end(self, reason=None):
        while self.loads:
            self.end_load(self.loads[0])
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)  # one that was away
        for process in self.processes.values():
            stop(process)
        self.broker.end()
        if isinstance(reason, Exception):
            print(f"{self.last_words()}\nlogs and data: {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, _, reason, *__):
        self.end(reason)


class Stand(Site):
    """The shop's services, or what stands in for them; the bank beside them."""

    load_flags = ("--credit", str(CREDIT))

    def __init__(self, build, server, engine=True, args=(), **broker):
        self.engine, self.args = engine, list(args)
        super().__init__(build, server, **broker)

    def furnish(self):
        self.processes["bank"] = self.spawn(
            "bank", [self.build / "services/bank/bank", "--server", self.url, "--data",
                     self.folder / "bank"])
        for name in SERVICES:
            self.start(name)
        for name in SERVICES:
            self.ready(name)
        if self.engine:
            products = self.folder / "products.csv"
            products.write_text(STOCK)
            self.shop("seed", "--products", products, "--credit", str(CREDIT))
        self.load(200, window=50)  # every statement prepared, every page cache warm

    def command(self, name, *more):
        if not self.engine:
            return [self.build / "tests/bench/floor", name, self.url, self.folder]
        return [self.build / f"services/{name}/{name}", "--server", self.url, "--data",
                self.folder / name, *self.args, *more]

    def leave(self, name):
        """It is away until it comes back. The floor does not start twice on a file: it sleeps."""
        if self.engine:
            return self.kill(name)
        self.processes[name].send_signal(signal.SIGSTOP)

    def come_back(self, name):
        if self.engine:
            return self.start(name)
        self.processes[name].send_signal(signal.SIGCONT)

    def started_in(self, name):
        """Seconds from its start until it says that it is ready, alone."""
        log = self.folder / f"{name}.log"
        log.unlink()
        began = time.monotonic()
        self.start(name)
        self.ready(name)
        return time.monotonic() - began

    def shop(self, *words):
        ran = subprocess.run([self.build / "services/shop/shop", "--server", self.url, "--json",
                              *words], capture_output=True, text=True)
        if ran.returncode not in (0, 1) or not ran.stdout:
            raise Failure(f"shop {words[0]}: {ran.stderr.strip()}")
        return json.loads(ran.stdout)


class Chain(Site):
    """So many services in a row, each of which hands on what it was handed, after so many
    microseconds of work."""

    def __init__(self, build, server, links, work=0):
        self.names, self.work = [f"link{nth}" for nth in range(links)], work
        self.load_flags = ("--links", str(links))
        super().__init__(build, server)

    def furnish(self):
        for name in self.names:
            self.start(name)
        for name in self.names:
            self.ready(name)
        self.load(200, window=50)

    def command(self, name, *more):
        return ["env", f"SAGA_CHAIN={len(self.names)}", f"SAGA_WORK={self.work}",
                self.build / "tests/bench/chain", name, "--server", self.url, "--data",
                self.folder / name, *more]


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wake_ups(pid):
    """Times that its threads went to sleep of themselves."""
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/status")
    return sum(int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", task.read_text())[1])
               for task in tasks)


def memory_mib(pid, what="VmRSS"):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+)", status)[1]) / 1024
