"""The shop on a broker with TLS and NKeys, where each user may do what `saga permissions` says."""
import json
import signal
import subprocess

import house as h
import landscape
import nkeys
import raw_nats

BANK = ["bank.charge", "bank.refund", "bank.credit", "bank.books", "bank.rates"]
USERS = [*landscape.SERVICES, "bank", "shop", "web", "observer", "operator"]
PROGRAMS = [  # beside the services; web may do less than the shop
    "--client", "shop", "--client", "web=order.place,order.show", "--answers",
    f"bank={','.join(BANK)}", "--asks", "shop=bank.credit,bank.books,bank.rates",
    "--asks", "bank=bank.rates"]


class Guarded:
    """A nats-server of the case's own, and the shop's programs on it."""

    def __init__(self, house):
        self.house, self.folder = house, house.folder
        self.keys = self.folder / "keys"
        self.keys.mkdir()
        for name in USERS:
            nkeys.make_seed(self.keys / f"{name}.nk")
        self.ca = self.folder / "tls.pem"
        nkeys.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                      "-nodes", "-days", 2, "-subj", "/CN=localhost", "-addext",
                      "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
                      self.folder / "tls.key", "-out", self.ca)
        self.broker, self.programs = None, {}
        self.log = open(self.folder / "nats.log", "ab")
        house.open.append(self)

    # ---- the broker

    def permissions(self, *args):
        """What the tool says of the shop's contracts, as text."""
        files = [self.house.write(f"{name}.json", self.run(name, name, "--contract").out)
                 for name in landscape.SERVICES]
        return self.run("saga", "operator", "permissions", *files, *PROGRAMS, "--keys", self.keys,
                        *args).out

    def open_broker(self, users):
        """A server with these users, a file's text."""
        self.house.write("users.conf", users)
        self.port = h.free_port()
        config = self.house.write("nats.conf", f"""
listen: "127.0.0.1:{self.port}"
jetstream {{ store_dir: "{self.folder}/store" }}
tls {{ cert_file: "{self.ca}", key_file: "{self.folder}/tls.key" }}
include ./users.conf
""")
        self.broker = subprocess.Popen([self.house.server, "-c", str(config)], stdout=self.log,
                                       stderr=subprocess.STDOUT, preexec_fn=landscape.die_with_us)
        h.wait_for("the streams are made", lambda: self.run("saga", "operator", "bootstrap",
                                                            code=None).code == 0)
        return self

    def close_broker(self):
        if self.broker:
            self.broker.send_signal(signal.SIGTERM)
            self.broker.wait(20)
        self.broker = None

    def connect(self, name):
        folder = self.keys if name in USERS else self.folder
        return raw_nats.RawNats(self.port, ca=self.ca, login=nkeys.Signer(folder / f"{name}.nk"))

    def violations(self):
        """What the broker has refused so far, in its log's words."""
        return [line for line in (self.folder / "nats.log").read_text().splitlines()
                if "Violation" in line]

    # ---- programs, each as a user

    def _begin(self, program, user, *args):
        env = {"NATS_CA": str(self.ca), "NATS_NKEY": str(self.keys / f"{user}.nk")}
        if self.broker:
            env["NATS_URL"] = f"nats://localhost:{self.port}"
        if user not in landscape.SERVICES:
            env["NATS_INBOX_PREFIX"] = f"_INBOX.{user}"
        return landscape.Command(self.house, [self.house.program(program), *map(str, args)],
                                 self.house.environment(**env))

    def run(self, program, user, *args, code=0, seconds=60):
        """A program that runs to its end, with this exit code."""
        ran = self._begin(program, user, *args).end(seconds)
        h.expect(code in (None, ran.code), f"{user}: {ran} ended with {ran.code}, not {code}: "
                 f"{ran.out[:2000]}{ran.err[:2000]}")
        return ran

    def start(self, *names):
        for name in names:
            self.programs[name] = self._begin(name, name, "--data", self.folder / "data" / name)
        return self

    def stop(self):
        for name, program in self.programs.items():
            program.process.send_signal(signal.SIGTERM)
        for name, program in self.programs.items():
            h.expect(program.end(40).code == 0, f"{name} ended with {program.code}: {program.err}")
        self.programs = {}

    def close(self):
        self.stop()
        self.close_broker()
        self.log.close()

    def kill(self):
        for program in self.programs.values():
            program.kill()
        if self.broker:
            self.broker.kill()
            self.broker.wait()

    def plight(self):
        lines = (self.folder / "nats.log").read_text().splitlines()
        return "\n".join(["the end of the broker's log:", *lines[-20:]])


def add_witness(shop):
    """A user who may do anything, beside those of the shop; the line of its."""
    nkeys.make_seed(shop.keys.parent / "witness.nk")
    return f"{{ nkey: {nkeys.Signer(shop.keys.parent / 'witness.nk').public} }}"


def with_witness(users, witness):
    return users.replace("users = [", f"users = [\n    {witness}", 1)


def unguarded(permissions_json, witness):
    """The same users, who may do anything."""
    lines = [f"{{ nkey: {user['nkey']} }}" for user in json.loads(permissions_json)["users"]]
    return f"authorization {{ users = [ {', '.join([witness, *lines])} ] }}\n"
