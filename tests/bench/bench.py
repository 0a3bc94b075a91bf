"""The shop under load: real processes, a real broker, a real disk. Run by scripts/bench.

Figures of a shared machine are compared with what the same machine does without an engine, in turn
with it: ratios are worth more than rates. docs/performance.md says what each case does.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import traceback

import cases
from stand import ROOT, Failure, Skipped, house

PROGRAMS = ("chain", "floor", "load", "micro")  # of tests/bench, that the cases start


def machine(given):
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    disk = subprocess.check_output(["stat", "-f", "-c", "%T", tempfile.gettempdir()], text=True)
    return {"cpu": cpu[1] if cpu else platform.machine(), "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1), "kernel": platform.release(),
            "file_system": disk.strip(), "nats_server": house.version(given.nats_server)}


def spread(values):
    """Of repetitions: the least, the middle, the most."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def text(value):
    if isinstance(value, dict):
        if value["min"] == value["max"]:
            return text(value["median"])
        return f"{text(value['median'])} ({text(value['min'])} to {text(value['max'])})"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:,.3g}"


def run(name, given, words):
    """A case as often as asked for; each figure of it with its spread, or why it has none."""
    try:
        runs = [cases.CASES[name](given) for _ in range(given.repetitions)]
    except Skipped as skipped:
        print(f"bench: {name} is skipped: {skipped}", file=sys.stderr)
        return {"skipped": str(skipped)}
    except Exception as failure:
        if not isinstance(failure, Failure):
            traceback.print_exc()
        print(f"bench: {name} failed: {failure}", file=sys.stderr)
        return {"failed": str(failure)}
    result = {figure: spread([each[figure] for each in runs]) for figure in runs[0]}
    print(f"{name}: {(cases.CASES[name].__doc__ or '').splitlines()[0]}", file=words)
    for figure, values in result.items():
        print(f"    {figure:<34} {text(values)}", file=words, flush=True)
    return result


def build():
    """The folder of a build with the programs of the cases."""
    each_one = (("--only", f"tests/bench/{name}", "build-bench") for name in PROGRAMS)
    for words in (("build-bench", "-Dbench=true"), *each_one):
        if subprocess.run([ROOT / "scripts/build", *words], stdout=sys.stderr).returncode != 0:
            sys.exit("bench: it does not build")
    return ROOT / "build-bench"


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="once, and less of everything")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--repetitions", type=int, help="of each case: 3, or 1 when quick")
    parser.add_argument("--nats-server", default="nats-server", help="which, by name or path")
    parser.add_argument("--sagas", type=int, default=1_000_000, help="of growth: those behind it")
    parser.add_argument("--build", type=pathlib.Path, help="a folder that is built already")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(cases.CASES)}")
    given = parser.parse_args()
    for name in given.cases:
        if name not in cases.CASES:
            parser.error(f"there is no case {name}; there are: {', '.join(cases.CASES)}")
    given.nats_server = house.known_servers([given.nats_server])[0]
    given.repetitions = given.repetitions or (1 if given.quick else 3)
    return given


def main():
    house.end_when_told()
    given = arguments()
    given.build = given.build or build()
    words = sys.stderr if given.json else sys.stdout
    facts = machine(given)
    print(", ".join(f"{name} {value}" for name, value in facts.items()), file=words)
    results = {name: run(name, given, words) for name in given.cases or cases.CASES}
    if given.json:
        first = next(iter(results.values()))
        rate = first.get("sagas_per_second", {"median": None})["median"]
        print(json.dumps({"sagas_per_second": rate, "quick": given.quick, "cases": results,
                          "machine": facts}))
    sys.exit(1 if any("failed" in result for result in results.values()) else 0)


if __name__ == "__main__":
    main()
