"""What the process tests share: programs, a folder of the test's own, conditions, cases, servers.

A case is a function of a House. It raises Failure, or returns a line that says what it saw. Each
runs once for every nats-server of SAGA_NATS_SERVERS, or of those named with --server.
"""
import argparse
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
NORTHWIND = ROOT.parent / "shared/data/northwind"
SAMPLE = ROOT / "services/shop/sample"
PATIENCE = float(os.environ.get("PATIENCE", "1"))  # a factor on every limit of time
BREATH = 0.01  # between two looks at a condition: others work on the same cores


class Failure(Exception):
    """Something is not as it has to be; the text says what."""


def expect(met, what):
    if not met:
        raise Failure(what)


def wait_for(what, condition, seconds=30):
    """What `condition` returns once that is true. Failure after `seconds`."""
    until = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise Failure(f"waited {seconds} s in vain until {what}")
        time.sleep(BREATH)


def end_when_told():
    """SIGTERM, which Meson sends when time is up, leaves nothing running."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("killed"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class House:
    """One case on one server: its folder, its chance, its processes."""

    def __init__(self, server, seed, programs):
        self.server, self.programs = server, programs
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="counterstep-process-"))
        self.chance = random.Random(seed)
        self.open = []  # whatever has close(), the last one first

    def program(self, name):
        for folder in self.programs:
            if os.access(folder / name, os.X_OK) and (folder / name).is_file():
                return str(folder / name)
        raise Failure(f"there is no program {name} in {':'.join(map(str, self.programs))}")

    def environment(self, **more):
        """Ours, without what points at other brokers or folders, and with the programs first."""
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(("NATS_", "SAGA_"))}
        env["PATH"] = ":".join([*map(str, self.programs), env.get("PATH", "/usr/bin:/bin")])
        return env | more

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def pause(self, seconds):
        """A fault's or a race's moment, drawn by chance; never a way to wait for something."""
        time.sleep(seconds)

    def say(self, text):
        print(f"    {text}", flush=True)

    def close(self):
        for each in reversed(self.open):
            each.close()
        left = strays(self.folder)
        expect(not left, f"processes are left: {left}")

    def plight(self):
        """After a failure: what its landscapes say of themselves."""
        return "\n".join(each.plight() for each in self.open if hasattr(each, "plight"))

    def kill(self):
        """After a failure: nothing stays, whatever state it is in."""
        for each in reversed(self.open):
            each.kill()
        for pid in strays(self.folder):
            os.kill(pid, signal.SIGKILL)


def lives(pid):
    """Whether it has anything yet. A killed one holds its ports and locks for a while after its
    memory, and with it its name, has gone; its first thread may be a zombie before the others."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def strays(folder):
    """Processes that were started for this folder, by their ids: it stands in their environment or
    among their arguments, and has no namesake."""
    found = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue  # it has gone, or is another user's
        if str(folder).encode() in text and state != "Z" and int(process.name) != os.getpid():
            found[int(process.name)] = text.split(b"\0")[0].decode(errors="replace")
    return found


def version(server):
    said = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=10).stdout
    number = re.search(r"\d+\.\d+\.\d+", said)
    return number.group() if number else server


def known_servers(given):
    names = given or [each for each in os.environ.get("SAGA_NATS_SERVERS", "").split(":") if each]
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"  # as `saga dev` looks for it
    found = [shutil.which(each, path=path) for each in names or ["nats-server"]]
    if None in found:
        raise SystemExit(f"there is no nats-server: {names or 'none on PATH'}")
    return found


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", action="append", help="a nats-server; otherwise "
                        "SAGA_NATS_SERVERS, otherwise the one on PATH")
    parser.add_argument("--seed", type=int, help="of what is left to chance")
    parser.add_argument("--programs", help="folders of them, between colons; otherwise "
                        "SAGA_PROGRAMS, otherwise build/out/bin")
    parser.add_argument("--case", help="only those with this word in their name")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a passed case too")
    return parser.parse_args()


def run_case(case, server, seed, given):
    """Whether it passed. What a failed one leaves on disk stays, and its place is printed."""
    folders = given.programs or os.environ.get("SAGA_PROGRAMS") or str(ROOT / "build/out/bin")
    programs = [pathlib.Path(each).resolve() for each in folders.split(":")]
    name = case.__name__.replace("_", " ")
    print(f"{name}: nats-server {version(server)}, seed {seed}", flush=True)
    house = House(server, seed, programs)
    begun = time.monotonic()
    try:
        seen = case(house)
        house.close()
    except BaseException as failure:
        if not isinstance(failure, Failure):
            traceback.print_exc(file=sys.stdout)
        print(f"FAILED {name}: {failure}\n  replay: {sys.argv[0]} --server {server} --seed {seed} "
              f"--case '{case.__name__}'\n  logs and data: {house.folder}", flush=True)
        print(house.plight(), flush=True)
        house.kill()
        if not isinstance(failure, Exception):
            raise
        return False
    print(f"ok in {time.monotonic() - begun:.1f} s: {seen}", flush=True)
    if given.keep:
        print(f"  logs and data: {house.folder}", flush=True)
    else:
        shutil.rmtree(house.folder)
    return True


def main(*cases):
    end_when_told()
    given = arguments()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    if not NORTHWIND.is_dir():
        print("skipped: the Northwind orders: services/shop/sample stands in for them")
    results = [run_case(case, server, seed, given) for server in known_servers(given.server)
               for case in cases if not given.case or given.case in case.__name__]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if all(results) and results else 1)
