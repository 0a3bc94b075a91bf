"""The loyalty service as one writes it who has not read docs/protocol.md: it has no inbox,
and keeps no mark of a failure that came first. Tests have to find it out."""
import books
import loyalty


class CarelessBooks(books.Books):
    def first_time(self, event_id):
        return True

    def failed(self, saga):
        return ""

    def ended_well(self, saga):
        return False

    def award(self, saga, customer_id, points, state):
        self.db.execute("INSERT OR REPLACE INTO award VALUES (?, ?, ?, ?)",
                        (saga, customer_id, points, "done"))
        return True


loyalty.Books = CarelessBooks
if __name__ == "__main__":
    loyalty.main()
