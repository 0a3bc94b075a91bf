"""docs/failing-order.md, command by command: the orders that it speaks of wait for a bank that is
away, until the page says that somebody has started it."""
import house as h
import pages
import stuck
import terminal as t
from pages import after, says

ORDERS = ("1002", "1003", "1004", "1005")
GIVEN_UP = "the call take after 20 attempts"
EVENT = r'"type":"shop\.{}\.{}","saga":"{}"'


def bank_is_back(terminal):
    terminal.world.bank.open()


def undone(order):
    """It is once the page's command has run."""
    def run(terminal):
        h.wait_for(f"{order} is undone",
                   lambda: '"state":"undone"' in terminal.run(f"saga show {order} --json").text)
    return run


def then(check, action):
    """First the command, then this."""
    def run(terminal, command):
        check(terminal, command)
        action(terminal)
    return run


EXPECTED = {
    # With `saga`.
    "saga ls --status stuck": says(*ORDERS, "4 stuck"),
    "saga show 1002": says("^1002 stuck for", r"waits for PaymentTaken or PaymentDeclined from "
                           "payment", f"payment/1 is dead, {GIVEN_UP}: nobody answers on bank",
                           "next: saga retry 1002", code=6),
    "saga dlq ls": says("4 dead letters"),
    "saga services": says("payment +ready", "order +ready"),
    "saga dlq ls payment": says(*(f"payment/{nth} .*dead .*{order}"
                                  for nth, order in enumerate(ORDERS, 1)), "4 dead letters"),
    "nats req bank.books ''": says("No responders are available"),
    "saga retry 1002 --reason 'the bank is back'": after(
        bank_is_back, says("payment/1 was asked again and is answered")),
    "saga wait 1002": says("1002 completed in .*: OrderConfirmed"),
    "saga trace 1002": says("StockReserved", "OperatorActed .*the bank is back", "PaymentTaken",
                            "OrderShipped", "OrderConfirmed", "1002 completed"),
    # With natscli alone.
    "nats req saga-ctl.order.show 1003": says('"id":"1003"', '"state":"open"'),
    "nats sub --stream SAGA 'saga.*.*.*.*.1003' --all -T --translate 'saga decode'": says(
        EVENT.format("order", "OrderRequested", "1003"),
        EVENT.format("inventory", "StockReserved", "1003"), without=["PaymentTaken", '"1002"']),
    """nats req saga-ctl.payment.dead '{"saga":"1003"}'""": says(
        '"id":"2"', '"what":"call"', '"step":"take"', '"state":"dead"', '"attempts":20',
        without=['"1002"']),
    "nats service stats payment": says("payment Service Statistics", "retry"),
    """nats req saga-ctl.payment.retry '{"saga":"1003","reason":"the bank is back"}'""": says(
        '"accepted"', r'"letters":\["2"\]'),
    "nats sub --stream SAGA 'saga.*.ended.*.*.1003' --all --count 1 "
    "--translate 'saga decode'": says(
        EVENT.format("order", "OrderConfirmed", "1003")),
    # Taken back.
    "saga undo 1004 --reason 'the customer called'": says("OrderCancelled", "payment/3 is dead",
                                                          code=6),
    "saga retry 1004 --reason 'the bank is back'": then(
        says("payment/3 was asked again and is answered"), undone("1004")),
    """nats req saga-ctl.order.undo '{"saga":"1005","reason":"the customer called"}'""": says(
        '"accepted"', '"event":"CancelRequested"'),
    """nats req saga-ctl.payment.retry '{"saga":"1005","reason":"the bank is back"}'""": then(
        says(r'"letters":\["4"\]'), undone("1005")),
    # Other symptoms, of which none is left.
    "saga ls --status failed": says("3 completed, 2 undone"),
}


def failing_order(house):
    page = pages.Page("failing-order.md", {"nats", "saga"}, EXPECTED)
    world = stuck.Shop(house, *ORDERS)
    terminal = t.Terminal(house, world.shop)
    terminal.world = world
    count = page.go_through(terminal)
    world.shop.audit(len(ORDERS))
    world.close()
    return f"{count} commands, {len(ORDERS)} orders brought to their end"
