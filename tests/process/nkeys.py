"""NKeys as github.com/nats-io/nkeys has them, made and used with openssl alone."""
import base64
import pathlib
import subprocess
import tempfile

SEED, USER = 18 << 3, 20 << 3  # the prefixes that make a word begin with "S", and with "U"
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")  # what stands before an Ed25519 seed


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def word(raw):
    return base64.b32encode(raw + crc16(raw).to_bytes(2, "little")).rstrip(b"=").decode()


def openssl(*args, data=None):
    return subprocess.run(["openssl", *map(str, args)], input=data, check=True,
                          capture_output=True).stdout


def make_seed(path):
    """A new user's seed in a file, as `nk -gen user` writes it."""
    raw = openssl("genpkey", "-algorithm", "ed25519", "-outform", "DER")[-32:]
    path.write_text(word(bytes([SEED | USER >> 5, (USER & 31) << 3]) + raw) + "\n")
    path.chmod(0o600)


class Signer:
    """Answers a server's nonce with the seed of a file."""

    def __init__(self, path):
        text = path.read_text().strip()
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
        self.key = PKCS8 + raw[2:-2]
        public = openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", data=self.key)
        self.public = word(bytes([USER]) + public[-32:])

    def __call__(self, nonce):
        with tempfile.TemporaryDirectory() as folder:
            key, text = pathlib.Path(folder, "key"), pathlib.Path(folder, "nonce")
            key.write_bytes(self.key)
            text.write_text(nonce)
            signed = openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-keyform", "DER", "-in",
                             text)
        return {"nkey": self.public, "sig": base64.urlsafe_b64encode(signed).rstrip(b"=").decode()}
