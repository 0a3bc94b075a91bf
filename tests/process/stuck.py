"""A shop whose bank is away for so long that payment has given orders up: they wait for an
operator. Its attempts take half an hour; here the last one is the second."""
import sqlite3

import house as h
import landscape

PRODUCTS = "sku,name,unit_price_cents,units_in_stock\nTEA,Tea,100,1000000\n"
CREDIT_CENTS = 10_000_000
ATTEMPTS = 20  # of a call: saga/include/saga/call.hpp


class Bank:
    """A program of the shop that is no service, and is ended and opened by the test."""

    def __init__(self, shop):
        self.shop, self.process = shop, None

    def open(self):
        self.process = self.shop.begin("bank", "--data", self.shop.house.folder / "data")
        h.wait_for("the bank answers", lambda: self.shop.run("shop", "bank").code == 0)

    def close(self):
        self.shop.end_service(self.process)


def place(shop, order, units=2):
    shop.shop("place", "--order", order, "--customer", "ann", "--line", f"TEA:{units}:100")


class Shop:
    """`shop` runs, `bank` is away, each of `orders` is dead at payment."""

    def __init__(self, house, *orders):
        self.shop = landscape.Landscape(house, landscape.shop_without(house, "bank", "payment"))
        self.shop.start()
        self.bank = Bank(self.shop)
        self.bank.open()
        self.payment = self.shop.open_service("payment", "--saga-in-subject")
        self.shop.shop("seed", "--products", house.write("tea.csv", PRODUCTS), "--credit",
                       CREDIT_CENTS)
        self.bank.close()
        for order in orders:
            place(self.shop, order)
            self.make_dead(order)

    def make_dead(self, order):
        def saga():
            return self.shop.saga("show", order, "--json").json()
        h.wait_for(f"payment has asked for {order}",
                   lambda: any(each["state"] == "open" and each["attempts"] > 0
                               for each in saga()["letters"]))
        self.shop.end_service(self.payment)
        file = sqlite3.connect(self.shop.house.folder / "data/payment.db")
        file.execute("UPDATE calls SET attempts = ?, next_at = 1 WHERE next_at IS NOT NULL",
                     (ATTEMPTS - 1,))
        file.commit()
        file.close()
        self.payment = self.shop.open_service("payment", "--saga-in-subject")
        h.wait_for(f"{order} waits for an operator", lambda: saga()["state"] == "stuck")

    def close(self):
        self.bank.close()
        self.shop.end_service(self.payment)
