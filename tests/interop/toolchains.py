#!/usr/bin/env python3
"""How each participant is made ready: its packages, its code from the schemas, its program.

Packages come by the language's own client, at the versions and hashes that stand beside the
sources. What was made stays in a folder, under a stamp of all that it was made of: the next run
needs no network. As a program it makes all of them ready.
"""
import base64
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SCHEMAS = [*sorted((HERE.parents[1] / "schemas").glob("*.fbs")), HERE / "loyalty.fbs"]
READ = ("envelope", "engine", "payment", "loyalty")  # what a participant generates code from
CACHE = pathlib.Path(os.environ.get("SAGA_INTEROP_CACHE", HERE.parents[1] / "build/tools/interop"))
MINUTES = 10  # that a package client may take


class Missing(Exception):
    """Something that a participant needs is not on this machine; the text says what."""


def need(program, what, *more_folders):
    path = os.pathsep.join([os.environ.get("PATH", ""), *more_folders])
    found = shutil.which(program, path=path)
    if not found:
        raise Missing(f"there is no {program}: install {what}")
    return found


def run(*command, cwd, **env):
    """A tool that has to succeed; one that does not brings the last of what it said."""
    try:
        done = subprocess.run([str(word) for word in command], cwd=cwd, env=os.environ | env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=MINUTES * 60)
    except subprocess.TimeoutExpired:
        raise Missing(f"{command[0]} has not ended after {MINUTES} minutes") from None
    if done.returncode:
        said = " | ".join(done.stdout.strip().splitlines()[-6:])
        raise Missing(f"{pathlib.Path(str(command[0])).name} {command[1]} failed: {said}")


def flatc(folder, *flags, names=READ):
    files = [path for path in SCHEMAS if path.stem in names]
    run(need("flatc", "flatbuffers-compiler"), *flags, "-o", folder, *files, cwd=folder)


class Language:
    """`folder` is where it is made ready, `source` where its files stand."""

    name = title = process = ""  # `process` is its name among the system's processes

    def __init__(self):
        self.source, self.folder = HERE / self.name, CACHE / self.name

    def tools(self):
        """What it takes of the machine; Missing where that is not there."""
        raise NotImplementedError

    def make(self):
        """Fills the folder, which is empty."""
        raise NotImplementedError

    def command(self):
        """(program, arguments, environment) of the participant."""
        raise NotImplementedError

    def section(self, *which):
        """The participant as one of the programs of `saga dev`."""
        program, args, env = self.command(*which)
        words = " ".join(map(str, [*args, "--contract", self.contract()]))
        lines = [f"command = {program}", f"args = {words}",
                 *(f"env = {name}={value}" for name, value in env.items())]
        return "\n".join(["\n[loyalty]", *lines, ""])

    def ready(self):
        """Returns itself, once it can run. Missing says why it cannot."""
        tools = self.tools()
        CACHE.mkdir(parents=True, exist_ok=True)
        with open(CACHE / f"{self.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several tests may want it at once
            stamp, made = self.folder / "stamp", self.stamp(tools)
            if not stamp.is_file() or stamp.read_text() != made:
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir()
                self.make()
                stamp.write_text(made)
        return self

    def stamp(self, tools):
        seen = hashlib.sha256("\n".join(tools).encode())
        for path in [*SCHEMAS, *sorted(self.source.rglob("*")), pathlib.Path(__file__)]:
            if path.is_file():
                seen.update(f"{path.name}\0".encode() + path.read_bytes())
        return seen.hexdigest()

    def contract(self):
        """The file of what it publishes in SAGA_CONTRACTS: loyalty.json, and its schemas."""
        folder = CACHE / "contract"
        with open(CACHE / "contract.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder.mkdir(exist_ok=True)
            names = ("payment", "loyalty")
            flatc(folder, "--binary", "--schema", names=names)
            contract = json.loads((HERE / "loyalty.json").read_text())
            contract["schemas"] = [
                base64.b64encode((folder / f"{name}.bfbs").read_bytes()).decode()
                for name in names]
            (folder / "loyalty.json").write_text(json.dumps(contract))
        return folder / "loyalty.json"


class Python(Language):
    name, title, process = "python", "Python", "python"

    def tools(self):
        return sys.executable, sys.version, need("flatc", "flatbuffers-compiler")

    def make(self):
        run(sys.executable, "-m", "venv", "venv", cwd=self.folder)
        run(self.folder / "venv/bin/python", "-m", "pip", "install", "--quiet",
            "--require-hashes", "-r", self.source / "requirements.txt", cwd=self.folder)
        flatc(self.folder, "--python")

    def command(self, file="loyalty.py"):
        paths = os.pathsep.join(map(str, (self.folder, self.source)))
        return self.folder / "venv/bin/python", [self.source / file], {"PYTHONPATH": paths}


class Go(Language):
    name, title, process = "go", "Go", "loyalty"

    def go(self):
        return need("go", "Go", "/usr/local/go/bin")

    def tools(self):
        version = subprocess.run([self.go(), "version"], capture_output=True, text=True).stdout
        return self.go(), version, need("flatc", "flatbuffers-compiler")

    def make(self):
        for path in self.source.glob("*"):
            shutil.copy(path, self.folder)
        flatc(self.folder, "--go")
        run(self.go(), "build", "-mod=readonly", "-o", "bin/loyalty", ".", cwd=self.folder)

    def command(self):
        return self.folder / "bin/loyalty", [], {}


class TypeScript(Language):
    """Runs on the Node that is one of its packages: older ones have no node:sqlite."""

    name, title, process = "typescript", "TypeScript", "node-MainThread"

    def tools(self):
        return need("node", "Node.js"), need("npm", "npm"), need("flatc", "flatbuffers-compiler")

    def make(self):
        sources = self.folder / "src"
        sources.mkdir()
        for path in self.source.glob("*"):
            shutil.copy(path, sources if path.suffix == ".ts" else self.folder)
        run(need("npm", "npm"), "ci", "--ignore-scripts", "--loglevel=error", cwd=self.folder)
        flatc(sources, "--ts")
        run(self.node(), "node_modules/typescript/bin/tsc", "-p", ".", cwd=self.folder)

    def node(self):
        for node in self.folder.glob("node_modules/node-linux-*/bin/node"):
            return node
        raise Missing("its packages have no Node.js for this kind of processor")

    def command(self):
        return self.node(), [self.folder / "out/loyalty.js"], {}


LANGUAGES = (Python(), Go(), TypeScript())


def chosen(arguments):
    """Those that --case names, or all: as house.py chooses among its cases."""
    if "--case" not in arguments[:-1]:
        return LANGUAGES
    word = arguments[arguments.index("--case") + 1]
    return tuple(each for each in LANGUAGES if word in each.name)


def ready_ones(languages):
    """{name: language} of those that can run here. A line says of each other why not; where CI is
    true, that is a failure."""
    found = {}
    for each in languages:
        try:
            found[each.name] = each.ready()
        except Missing as why:
            print(f"skipped: the participant in {each.title}: {why}", flush=True)
            if os.environ.get("CI") == "true":
                sys.exit(f"CI has to run it: {why}")
    return found

if __name__ == "__main__":  # makes all of them ready
    for language in LANGUAGES:
        print(language.ready().folder, flush=True)
