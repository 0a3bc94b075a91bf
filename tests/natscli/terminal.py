"""An operator's terminal: one line of a shell after the other, with the shop's broker, natscli and
our programs at hand, in a home of its own."""
import os
import re
import shutil
import subprocess

import house as h
import landscape

NATSCLI = h.ROOT / "build/tools/bin/nats"
LEAST = (0, 4)  # older ones have no --translate for all that is shown
LIMIT = 30  # seconds


def natscli():
    """Its path; none when it is not here, or too old to be of use."""
    found = str(NATSCLI) if os.access(NATSCLI, os.X_OK) else shutil.which("nats")
    if not found:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=10).stdout
    number = re.search(r"(\d+)\.(\d+)\.\d+", said)
    return found if number and tuple(map(int, number.groups())) >= LEAST else None


class Said:
    def __init__(self, code, text):
        self.code, self.text = code, text


class Terminal:
    def __init__(self, house, shop):
        self.house, self.shop = house, shop
        self.home = house.folder / "home"
        self.home.mkdir()
        programs = os.path.dirname(natscli())
        env = house.environment(NATS_URL=shop.url, HOME=str(self.home), TERM="xterm", NO_COLOR="1")
        env.pop("XDG_CACHE_HOME", None)
        env.pop("XDG_CONFIG_HOME", None)
        self.env = env | {"PATH": f"{programs}:{env['PATH']}"}

    def say(self, text):
        self.house.say(text)

    def run(self, command, seconds=LIMIT):
        """What a line says, on both streams, and its exit code."""
        ran = subprocess.run(["bash", "-c", command], env=self.env, cwd=self.house.folder,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace",
                             timeout=seconds * h.PATIENCE)
        return Said(ran.returncode, ran.stdout)

    def listen(self, command):
        """A line that goes on until the `with` ends."""
        return Listener(self, command)


class Listener:
    def __init__(self, terminal, command):
        self.terminal, self.command = terminal, command
        self.path = terminal.house.folder / "heard.txt"

    def __enter__(self):
        with open(self.path, "w") as out:
            self.process = subprocess.Popen(
                ["bash", "-c", "exec " + self.command], env=self.terminal.env,
                cwd=self.terminal.house.folder, stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, preexec_fn=landscape.die_with_us)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)

    def text(self):
        return self.path.read_text(errors="replace")

    def until(self, *words):
        """Returns once it has said all of them."""
        def heard():
            ended, text = self.process.poll() is not None, self.text()
            missing = [each for each in words if not re.search(each, text)]
            h.expect(not missing or not ended, f"{self.command} ended without {missing}")
            return not missing
        try:
            h.wait_for(f"{self.command} says {words}", heard, LIMIT)
        except h.Failure as failure:
            raise h.Failure(f"{failure}; it said:\n{self.text()}") from None
