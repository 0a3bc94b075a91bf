"""What is measured. A case takes the arguments and returns one run's figures, by name."""
import json
import statistics
import time

import history
from stand import SERVICES, Chain, Failure, Skipped, Stand, house, memory_mib, said, wait_for

WINDOW = 1_000  # orders under way at saturation
IDLE = 10  # seconds over which rest is measured


def stand_of(given, **more):
    return Stand(given.build, given.nats_server, **more)


def many(given, quick, full):
    return quick if given.quick else full


def saturated(stand, orders, **flags):
    """A run at saturation, with what it took of the processors."""
    before = stand.cpu()
    result = stand.load(orders, window=WINDOW, **flags)
    after = stand.cpu()
    result["cpu_us"] = {name: (after[name] - before[name]) / orders * 1e6 for name in after}
    return result


def middle_ratio(rates, others):
    """Of runs made in turn: a shared machine is not as fast in every minute."""
    return statistics.median(rate / other for rate, other in zip(rates, others))


def audited(stand):
    audit = stand.shop("audit")
    if not audit["ok"]:
        raise Failure(f"the books do not fit: {json.dumps(audit['violations'])[:2000]}")


def throughput(given):
    """Completed sagas a second at saturation; of 30 in 100 the carrier refuses the parcel."""
    orders, rounds = many(given, 3_000, 5_000), many(given, 3, 9)
    runs = {"floor": [], "engine": [], "failing": []}
    with stand_of(given, engine=False) as floor, stand_of(given) as engine:
        for _ in range(rounds):
            runs["floor"].append(saturated(floor, orders))
            runs["engine"].append(saturated(engine, orders))
            runs["failing"].append(saturated(engine, orders, failing=0.3))
        audited(engine)

    def middle(whose, what):
        return statistics.median(what(run) for run in runs[whose])

    def ratio(whose):
        return middle_ratio(*([run["sagas_per_second"] for run in runs[each]]
                              for each in (whose, "floor")))

    def rate(whose):
        return middle(whose, lambda run: run["sagas_per_second"])

    def cpu(whose, *names):
        return middle(whose, lambda run: sum(run["cpu_us"][name] for name in names))

    return {"sagas_per_second": rate("engine"), "floor_sagas_per_second": rate("floor"),
            "failing_sagas_per_second": rate("failing"),
            "ratio": ratio("engine"), "failing_ratio": ratio("failing"),
            "services_cpu_us": cpu("engine", *SERVICES),
            **{f"{name}_cpu_us": cpu("engine", name) for name in SERVICES},
            "floor_services_cpu_us": cpu("floor", *SERVICES),
            "broker_cpu_us": cpu("engine", "nats-server"),
            "floor_broker_cpu_us": cpu("floor", "nats-server"),
            "bank_cpu_us": cpu("engine", "bank"),
            "p50_ms": middle("engine", lambda run: run["p50_ms"]),
            "p99_ms": middle("engine", lambda run: run["p99_ms"])}


def latency(given):
    """From when an order is due to its OrderConfirmed, at 100 a second and parts of saturation."""
    seconds = many(given, 5, 30)
    figures = {}
    with stand_of(given, engine=False) as floor, stand_of(given) as engine:
        highest = engine.load(many(given, 3_000, 20_000), window=WINDOW)["sagas_per_second"]
        for name, rate in {"100": 100, "10_percent": highest / 10, "50_percent": highest / 2,
                           "80_percent": highest * 0.8}.items():
            runs = {"": engine.load(int(rate * seconds), rate=rate),
                    "floor_": floor.load(int(rate * seconds), rate=rate)}
            for whose, run in runs.items():
                for part in ("p50", "p99", "p999"):
                    figures[f"{whose}{part}_ms_at_{name}"] = run[f"{part}_ms"]
            for part in ("p50", "p99"):
                figures[f"ratio_{part}_at_{name}"] = (runs[""][f"{part}_ms"] /
                                                      runs["floor_"][f"{part}_ms"])
    return figures


def growth(given):
    """With finished sagas behind it, there or forgotten: throughput, start, memory, files."""
    orders, rounds = many(given, 3_000, 5_000), many(given, 3, 9)
    sagas = many(given, 100_000, given.sagas)
    figures = {"sagas_behind": sagas}
    with stand_of(given) as empty, stand_of(given) as unpruned, stand_of(given) as pruned:
        stands = {"unpruned": unpruned, "pruned": pruned}
        for name, stand in stands.items():
            for service in SERVICES:
                stand.stop(service)
                history.write(stand.folder / service / f"{service}.db", sagas, name == "pruned")
            figures[f"start_s_{name}"] = max(stand.started_in(service) for service in SERVICES)
        rates = {name: [] for name in ("empty", *stands)}
        for _ in range(rounds):
            for name, stand in {"empty": empty, **stands}.items():
                rates[name].append(stand.load(orders, window=WINDOW)["sagas_per_second"])
        for name, stand in stands.items():
            pids = [stand.processes[service].pid for service in SERVICES]
            figures |= {
                f"ratio_{name}": middle_ratio(rates[name], rates["empty"]),
                f"memory_mib_{name}": max(memory_mib(pid, "VmHWM") for pid in pids),
                f"wal_mib_{name}": max(stand.mib(service, ".db-wal") for service in SERVICES),
                f"file_mib_{name}": max(stand.mib(service, ".db") for service in SERVICES)}
            audited(stand)
    return figures


def backlog(given):
    """Payment was away: how fast its backlog drains, and what orders without payment take beside.
    Engine and floor on brokers of their own, one after the other."""
    with stand_of(given, engine=False) as floor:
        figures = {f"floor_{name}": figure for name, figure in drained(given, floor).items()}
    with stand_of(given) as stand:
        figures |= drained(given, stand)
        audited(stand)
    return figures


def drained(given, stand):
    """Before payment comes back, the others are done with what they could do without it."""
    orders, rate = many(given, 10_000, 100_000), 50
    aside = {"rate": rate, "sku": "NONE", "ends": "saga.order.ended.OrderRejected.>"}
    usual = stand.load(many(given, 5_000, 20_000), window=WINDOW)["sagas_per_second"]
    quiet = stand.load(rate * 10, **aside)
    reserved = "inventory.done.StockReserved"
    before = stand.broker.events(reserved)
    stand.leave("payment")
    waiting = stand.begin_load(orders, window=orders)
    wait_for("all wait for payment", lambda: stand.broker.events(reserved) >= before + orders,
             waiting, seconds=300)
    stand.rest()
    began = time.monotonic()
    stand.come_back("payment")
    others = stand.begin_load(int(orders / usual * rate), **aside)
    stand.loaded(waiting)
    seconds = time.monotonic() - began
    beside = stand.loaded(others)
    memory = memory_mib(stand.processes["payment"].pid, "VmHWM")
    stand.rest()
    return {"drained_per_second": orders / seconds, "ratio": orders / seconds / usual,
            "memory_mib": memory,
            "others_p50_ms": beside["p50_ms"], "others_p99_ms": beside["p99_ms"],
            "others_p50_ratio": beside["p50_ms"] / quiet["p50_ms"],
            "others_p99_ratio": beside["p99_ms"] / quiet["p99_ms"]}


def shards(given):
    """One service alone, in shards, takes what waits for it: nobody else has work meanwhile.
    Shipping as it comes, and with transactions so small that it is the disk that it waits for; and
    a service whose handler computes for half a millisecond."""
    figures = {}
    for what, taken in {"": lambda count: shipped(given, count, 512),
                        "_of_disk": lambda count: shipped(given, count, 1),
                        "_of_work": lambda count: computed(given, count)}.items():
        rates = {count: taken(count) for count in (1, 2, 4)}
        figures |= {f"per_second{what}_{count}": rate for count, rate in rates.items()}
        figures |= {f"ratio{what}_{count}": rates[count] / rates[1] for count in (2, 4)}
    return figures


def shipped(given, count, batch):
    """Orders a second that so many shards of shipping take."""
    orders, ended = many(given, 5_000, 40_000), "shipping.done.OrderShipped"
    with stand_of(given) as stand:
        before = let_wait(stand, "shipping", orders, "payment.done.PaymentTaken", ended)
        for name in ("order", "inventory", "payment"):
            stand.stop(name)
        stand.args = ["--batch", str(batch)]
        return taken_per_second(stand, "shipping", count, orders, ended, before)


def computed(given, count):
    """Tickets a second that so many shards of a service take, whose handler has much to do."""
    tickets, ended = many(given, 4_000, 20_000), "link1.ended.Passed1"
    with Chain(given.build, given.nats_server, links=2, work=500) as chain:
        before = let_wait(chain, "link1", tickets, "link0.done.Passed0", ended)
        chain.stop("link0")
        return taken_per_second(chain, "link1", count, tickets, ended, before)


def let_wait(site, service, sagas, awaited, ended):
    """Stops a service, and has so many sagas wait for it with `awaited`; how many of its own events
    `ended` there were before."""
    site.stop(service)
    waiting = site.begin_load(sagas, window=sagas)
    before = site.broker.events(ended)
    wait_for(f"all wait for {service}", lambda: site.broker.events(awaited) >= before + sagas,
             waiting, seconds=300)
    site.end_load(waiting)
    return before


def taken_per_second(site, service, count, sagas, ended, before):
    """From the start of that service, in so many shards, until it has taken them."""
    site.split(service, count)
    began = time.monotonic()
    site.open(service, count)
    house.wait_for("all are taken", lambda: site.broker.events(ended) >= before + sagas, 300)
    return sagas / (time.monotonic() - began)


def cluster(given):
    """Every stream on three nats-servers, beside one: what it costs on the same two cores."""
    orders, rounds = many(given, 3_000, 10_000), many(given, 3, 5)
    runs = {1: [], 3: []}
    with stand_of(given) as one, stand_of(given, nodes=3) as three:
        for _ in range(rounds):
            for nodes, stand in ((1, one), (3, three)):
                runs[nodes].append(saturated(stand, orders))
        slow = {nodes: stand.load(many(given, 500, 3_000), rate=100)
                for nodes, stand in ((1, one), (3, three))}
        audited(three)

    def middle(nodes, what):
        return statistics.median(what(run) for run in runs[nodes])

    return {"sagas_per_second_1": middle(1, lambda run: run["sagas_per_second"]),
            "sagas_per_second_3": middle(3, lambda run: run["sagas_per_second"]),
            "ratio": middle_ratio(*([run["sagas_per_second"] for run in runs[nodes]]
                                    for nodes in (3, 1))),
            "broker_cpu_us_1": middle(1, lambda run: run["cpu_us"]["nats-server"]),
            "broker_cpu_us_3": middle(3, lambda run: run["cpu_us"]["nats-server"]),
            "p50_ms_at_100_1": slow[1]["p50_ms"], "p50_ms_at_100_3": slow[3]["p50_ms"],
            "p99_ms_at_100_1": slow[1]["p99_ms"], "p99_ms_at_100_3": slow[3]["p99_ms"]}


def durable(given):
    """A broker that syncs before each PubAck, from nats-server 2.10 on, beside one that waits."""
    orders, rounds = many(given, 2_000, 10_000), many(given, 3, 5)
    if [int(each) for each in house.version(given.nats_server).split(".")[:2]] < [2, 10]:
        raise Skipped("this nats-server cannot: give --nats-server a newer one")
    rates = {"lazy": [], "always": []}
    with stand_of(given) as lazy, stand_of(given, sync="always") as always:
        stands = {"lazy": lazy, "always": always}
        for _ in range(rounds):
            for name, stand in stands.items():
                rates[name].append(stand.load(orders, window=WINDOW)["sagas_per_second"])
        slow = {name: stand.load(many(given, 500, 3_000), rate=100)
                for name, stand in stands.items()}
        audited(always)
    return {"sagas_per_second_lazy": statistics.median(rates["lazy"]),
            "sagas_per_second_always": statistics.median(rates["always"]),
            "ratio": middle_ratio(rates["always"], rates["lazy"]),
            **{f"{part}_ms_at_100_{name}": run[f"{part}_ms"] for name, run in slow.items()
               for part in ("p50", "p99")}}


def recovery(given):
    """Payment is killed with -9 at 100 orders a second: its first event, and the longest order."""
    with stand_of(given) as stand:
        load = stand.begin_load(1_000, rate=100)

        def taken():
            return stand.broker.events("payment.done.PaymentTaken")
        wait_for("some are paid", lambda: taken() > 400, load)
        stand.kill("payment")
        before = taken()
        began = time.monotonic()
        stand.start("payment")
        wait_for("another one is paid", lambda: taken() > before, load)
        first = time.monotonic() - began
        longest = stand.loaded(load)["max_ms"]
        audited(stand)
    return {"first_event_s": first, "longest_order_ms": longest}


def batches(given):
    """Items of one transaction: throughput by --batch."""
    orders = many(given, 3_000, 20_000)
    figures = {}
    for size in (1, 16, 64, 256, 512, 1024):
        with stand_of(given, args=["--batch", str(size)]) as stand:
            some = orders // 10 if size == 1 else orders
            run = stand.load(some, window=WINDOW)
            figures[f"sagas_per_second_{size}"] = run["sagas_per_second"]
    return figures


def payloads(given):
    """Events of 100 bytes to 64 KiB through a chain of four services."""
    figures = {}
    with Chain(given.build, given.nats_server, links=4) as chain:
        for size in (100, 1_024, 4_096, 16_384, 65_536):
            tickets = many(given, 2_000, 20_000) * 4_096 // max(size, 4_096)
            run = chain.load(tickets, window=WINDOW, payload=size)
            figures[f"sagas_per_second_{size}"] = run["sagas_per_second"]
            figures[f"event_mib_per_second_{size}"] = run["sagas_per_second"] * 4 * size / 2**20
    return figures


def services(given):
    """Chains of two to sixteen services: events a second, and what one takes of the processors."""
    figures = {}
    for links in (2, 4, 8, 16):
        with Chain(given.build, given.nats_server, links=links) as chain:
            tickets = many(given, 6_000, 60_000) // links
            run = saturated(chain, tickets)
        figures[f"events_per_second_{links}"] = run["sagas_per_second"] * links
        figures[f"services_cpu_us_an_event_{links}"] = sum(
            us for name, us in run["cpu_us"].items() if name != "nats-server") / links
        figures[f"broker_cpu_us_an_event_{links}"] = run["cpu_us"]["nats-server"] / links
    return figures


def idle(given):
    """Nothing to do for ten seconds: processor time and wake-ups of the busiest service."""
    with stand_of(given) as stand:
        stand.rest()
        cpu, wakes = stand.cpu(), stand.wake_ups()
        time.sleep(IDLE)  # the measure itself: nothing is waited for
        cpu_after, wakes_after = stand.cpu(), stand.wake_ups()
    return {"percent_of_a_core": max((cpu_after[name] - cpu[name]) / IDLE * 100
                                     for name in SERVICES),
            "wake_ups_per_second": max((wakes_after[name] - wakes[name]) / IDLE
                                       for name in SERVICES)}


def micro(given):
    """One thing at a time, in nanoseconds."""
    figures = json.loads(said(given.build / "tests/bench/micro", "--benchmark_format=json",
                              f"--benchmark_min_time={many(given, 0.1, 1)}"))
    return {f"{each['name']}_ns": each["cpu_time"] for each in figures["benchmarks"]}


CASES = {case.__name__: case for case in (throughput, latency, growth, backlog, shards, cluster,
                                          durable, recovery, batches, payloads, services, idle,
                                          micro)}
