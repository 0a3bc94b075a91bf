"""The commands that a page of docs/ shows, and whether each does what the test expects of it.

A command stands on a line of its own in a fenced block, after "$ " where a block shows output too,
or in back quotes in the text. Two on a line are apart by " ; "; after " # " comes a comment.
"""
import re
import shlex

import house as h

FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.M | re.S)
INLINE = re.compile(r"`([^`\n]+)`")
COMMENT = re.compile(r"\s+# .*$")
PLACEHOLDER = re.compile(r"<|…|\b(ID|DIR|KEY|N|FILE)\b")


def commands(text, programs):
    """Those of these programs, in the page's order, each once. Of one that stands in the text only
    what can be run: more than the program and what it is to do, and no placeholder."""
    found, at = [], 0
    for block in FENCE.finditer(text):
        found += inline(text[at:block.start()]) + fenced(block.group(1).splitlines())
        at = block.end()
    found += inline(text[at:])
    return list(dict.fromkeys(each.strip() for each in found
                              if each.split(" ")[0] in programs))


def inline(text):
    return [each for each in INLINE.findall(text)
            if len(each.split()) > 2 and not PLACEHOLDER.search(each)]


def fenced(lines):
    prompted = [each.removeprefix("$ ") for each in lines if each.startswith("$ ")]
    return [command for each in prompted or lines for command in COMMENT.sub("", each).split(" ; ")]


def self_test():
    """A test that never fails is none."""
    page = ("Say `nats` or `nats sub` or `nats kv del B KEY`, `nats kv get B key` or `ls -l x`.\n"
            "```sh\nnats a b '#1'   # why\nnats c d ; nats e f\nls\n```\n"
            "```\n$ nats g h\nnats said this\n```\n")
    expected = ["nats kv get B key", "nats a b '#1'", "nats c d", "nats e f", "nats g h"]
    h.expect(commands(page, {"nats"}) == expected, f"{commands(page, {'nats'})}")


class Page:
    """A page, with what is expected of its commands: {command: run(terminal, command)}."""

    def __init__(self, name, programs, expected):
        self.name, self.expected = name, expected
        text = (h.ROOT / "docs" / name).read_text()
        self.commands = commands(text, programs)
        h.expect(self.commands, f"docs/{name} shows no command of {programs}")
        unknown = [each for each in self.commands if each not in expected]
        h.expect(not unknown, f"docs/{name} shows what this test does not run: {unknown}")
        gone = [each for each in expected if each not in self.commands]
        h.expect(not gone, f"docs/{name} shows no more what this test runs: {gone}")

    def go_through(self, terminal):
        """Runs them all, in the page's order; how many they are."""
        for command in self.commands:
            terminal.say(command)
            self.expected[command](terminal, command)
        return len(self.commands)


# ---- what can be expected of a command -----------------------------------------------------------


def says(*words, code=0, without=()):
    """It ends with `code`, and its output has all of `words` (each a regular expression)."""
    def run(terminal, command):
        check(command, terminal.run(command), words, code, without)
    return run


def hears(trigger, *words):
    """It goes on until it is stopped, and has said all of `words` after `trigger(terminal)`."""
    def run(terminal, command):
        with terminal.listen(command) as heard:
            heard.until("Subscribing|Listening")
            trigger(terminal)
            heard.until(*words)
    return run


def shows(*words):
    """As hears(), of a command that wants a terminal, and asks there how to go on."""
    def run(terminal, command):
        with terminal.listen("script -qefc " + shlex.quote(command) + " /dev/null") as heard:
            heard.until(*words)
    return run


def after(action, then):
    """First this, then the command."""
    def run(terminal, command):
        action(terminal)
        then(terminal, command)
    return run


def check(command, said, words, code, without):
    h.expect(said.code == code, f"{command} ended with {said.code}: {said.text}")
    missing = [each for each in words if not re.search(each, said.text, re.M)]
    h.expect(not missing, f"{command} should say {missing}: {said.text}")
    present = [each for each in without if re.search(each, said.text, re.M)]
    h.expect(not present, f"{command} should not say {present}: {said.text}")
