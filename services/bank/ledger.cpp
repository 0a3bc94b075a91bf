#include "services/bank/ledger.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <saga/error.hpp>

#include "shared/money.hpp"

using money::Cents;

namespace shop {
namespace {

constexpr int kApplicationId = 0x62616e6b;  // Never change: stored. "bank"
constexpr int kBusy = 5;                    // SQLITE_BUSY
constexpr int kNoDatabase = 26;             // SQLITE_NOTADB
constexpr std::string_view kCharge = "C-";  // Never change: stored. What a charge's id begins with.

constexpr auto kTables = R"sql(
    CREATE TABLE account (
        customer_id TEXT PRIMARY KEY,
        balance     INTEGER NOT NULL CHECK (balance >= 0)
    ) STRICT;
    CREATE TABLE charge (
        number      INTEGER PRIMARY KEY AUTOINCREMENT,
        customer_id TEXT NOT NULL REFERENCES account,
        cents       INTEGER NOT NULL CHECK (cents > 0),
        refunded    INTEGER NOT NULL DEFAULT 0 CHECK (refunded IN (0, cents))
    ) STRICT;
    CREATE TABLE answered (
        key      TEXT PRIMARY KEY,
        asked    TEXT NOT NULL,
        answer   TEXT NOT NULL,
        declined TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sums (
        opening  INTEGER NOT NULL,
        credit   INTEGER NOT NULL,
        charged  INTEGER NOT NULL,
        refunds  INTEGER NOT NULL,
        refunded INTEGER NOT NULL
    ) STRICT;
    INSERT INTO sums VALUES (0, 0, 0, 0, 0);
)sql";

/// A statement in use; given back, without its values, at the end.
class Use {
  public:
    explicit Use(SQLite::Statement& statement) : statement_(statement) {}
    ~Use() {
        statement_.tryReset();
        statement_.clearBindings();
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

    template <class... Args>
    Use& with(const Args&... args) {
        int at = 0;
        (bind(++at, args), ...);
        return *this;
    }
    bool row() { return statement_.executeStep(); }
    void run() { statement_.exec(); }
    Cents number(int column) { return statement_.getColumn(column).getInt64(); }
    std::string text(int column) { return statement_.getColumn(column).getString(); }

  private:
    void bind(int at, Cents number) { statement_.bind(at, number); }
    void bind(int at, std::string_view text) { statement_.bind(at, std::string(text)); }
    SQLite::Statement& statement_;
};

std::optional<std::int64_t> number_of(std::string_view charge_id) {
    if (!charge_id.starts_with(kCharge)) return std::nullopt;
    charge_id.remove_prefix(kCharge.size());
    std::int64_t number = 0;
    const char* end = charge_id.data() + charge_id.size();
    const auto [read, error] = std::from_chars(charge_id.data(), end, number);
    if (error != std::errc{} || read != end) return std::nullopt;
    return number;
}

std::string id_of(std::int64_t number) {
    return fmt::format("{}{}", kCharge, number);
}

Receipt no(std::string why) {
    return Receipt{.declined = std::move(why)};
}

SQLite::Database open(const std::string& path) {
    try {
        SQLite::Database db(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        db.exec("PRAGMA locking_mode = EXCLUSIVE");
        const std::string mode = db.execAndGet("PRAGMA journal_mode = WAL").getString();
        db.exec("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF");
        db.exec("BEGIN IMMEDIATE");
        const int kind = db.execAndGet("PRAGMA application_id").getInt();
        if (kind == 0 && db.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() == 0) {
            db.exec(kTables);
            db.exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
        } else if (kind != kApplicationId) {
            throw saga::Error(path + " is another program's database, no bank's ledger");
        }
        db.exec("COMMIT");
        if (mode != "wal" && path != ":memory:")
            throw saga::Error(path + " is on a disk that cannot keep a write-ahead log");
        return db;
    } catch (const SQLite::Exception& failure) {
        if (failure.getErrorCode() == kBusy)
            throw saga::Error("another process has " + path + " open: one bank has one ledger");
        if (failure.getErrorCode() == kNoDatabase)
            throw saga::Error(path + " is no SQLite file, or a damaged one");
        throw saga::Error(fmt::format("cannot open {}: {}", path, failure.what()));
    }
}

}  // namespace

struct Ledger::Tables {
    explicit Tables(const std::string& path) : db(open(path)) {}

    /// What was answered to this key, or else what `decide` says.
    Receipt once(std::string_view key, const std::string& asked,
                 const std::function<Receipt()>& decide) {
        if (key.empty() || key.size() > kMostKeyBytes)
            return no(fmt::format("it needs an Idempotency-Key of 1 to {} bytes", kMostKeyBytes));
        {
            Use known(find_answer);
            if (known.with(key).row())
                return known.text(0) == asked
                           ? Receipt{.charge_id = known.text(1), .declined = known.text(2)}
                           : no("this key was used for another question");
        }
        Receipt answer = decide();
        Use(add_answer).with(key, asked, answer.charge_id, answer.declined).run();
        return answer;
    }

    std::optional<Cents> balance(std::string_view customer_id) {
        Use use(find_account);
        if (!use.with(customer_id).row()) return std::nullopt;
        return use.number(0);
    }
    Cents one(SQLite::Statement& statement) {
        Use use(statement);
        use.row();
        return use.number(0);
    }
    /// Gives an account so much more, and opens it where there is none. False: the sum of all
    /// credit would not fit.
    bool give(std::string_view customer_id, Cents cents) {
        const Cents opening = balance(customer_id) ? 0 : one(find_opening);
        const auto more = money::sum(opening, cents);
        if (!more || !money::sum(one(find_credit), *more)) return false;
        Use(add_credit).with(*more).run();
        Use(add_balance).with(customer_id, *more).run();
        return true;
    }

    SQLite::Database db;
    // clang-format off
    SQLite::Statement find_answer{db, "SELECT asked, answer, declined FROM answered WHERE key = ?"},
        add_answer{db, "INSERT INTO answered VALUES (?, ?, ?, ?)"},
        find_account{db, "SELECT balance FROM account WHERE customer_id = ?"},
        add_balance{db, "INSERT INTO account VALUES (?1, ?2) "
                        "ON CONFLICT DO UPDATE SET balance = balance + ?2"},
        take_balance{db, "UPDATE account SET balance = balance - ?2 WHERE customer_id = ?1"},
        count_accounts{db, "SELECT count(*) FROM account"},
        add_charge{db, "INSERT INTO charge (customer_id, cents) VALUES (?, ?)"},
        find_charge{db, "SELECT customer_id, cents, refunded FROM charge WHERE number = ?"},
        refund_charge{db, "UPDATE charge SET refunded = cents WHERE number = ?"},
        find_opening{db, "SELECT opening FROM sums"},
        set_opening{db, "UPDATE sums SET opening = ?"},
        find_credit{db, "SELECT credit FROM sums"},
        add_credit{db, "UPDATE sums SET credit = credit + ?"},
        find_charged{db, "SELECT charged FROM sums"},
        add_charged{db, "UPDATE sums SET charged = charged + ?"},
        add_refunded{db, "UPDATE sums SET refunded = refunded + ?, refunds = refunds + 1"},
        all_sums{db, "SELECT (SELECT count(*) FROM account), credit, "
                     "(SELECT ifnull(sum(balance), 0) FROM account), "
                     "(SELECT count(*) FROM charge), charged, refunds, refunded FROM sums"},
        page{db, "SELECT number, customer_id, cents, refunded FROM charge WHERE number > ? "
                 "ORDER BY number LIMIT ?"};
    // clang-format on
};

Ledger::Ledger(const std::string& path) : tables_(std::make_unique<Tables>(path)) {}
Ledger::~Ledger() = default;

void Ledger::write(const std::function<void()>& work) {
    tables_->db.exec("BEGIN IMMEDIATE");
    try {
        work();
        tables_->db.exec("COMMIT");
    } catch (...) {
        tables_->db.tryExec("ROLLBACK");
        throw;
    }
}

Receipt Ledger::charge(std::string_view key, const Charge& asked, bool unlucky) {
    Tables& tables = *tables_;
    const std::string question = fmt::format("charge {} {}", asked.amount_cents, asked.customer_id);
    return tables.once(key, question, [&] {
        if (asked.amount_cents <= 0) return no("an amount is more than nothing");
        if (asked.customer_id.empty() || asked.customer_id.size() > kMostIdBytes)
            return no(fmt::format("a customer's id has 1 to {} bytes", kMostIdBytes));
        if (unlucky) return no("the bank says no today");
        if (!tables.balance(asked.customer_id) && !tables.give(asked.customer_id, 0))
            return no("the bank's books are full");
        if (tables.balance(asked.customer_id).value_or(0) < asked.amount_cents)
            return no("not enough credit");
        if (!money::sum(tables.one(tables.find_charged), asked.amount_cents))
            return no("the bank's books are full");
        Use(tables.take_balance).with(asked.customer_id, asked.amount_cents).run();
        Use(tables.add_charge).with(asked.customer_id, asked.amount_cents).run();
        Use(tables.add_charged).with(asked.amount_cents).run();
        return Receipt{.charge_id = id_of(tables.db.getLastInsertRowid())};
    });
}

Receipt Ledger::refund(std::string_view key, const Refund& asked) {
    Tables& tables = *tables_;
    const std::string question = fmt::format("refund {} {}", asked.amount_cents, asked.charge_id);
    return tables.once(key, question, [&] {
        const std::optional<std::int64_t> number = number_of(asked.charge_id);
        Use charge(tables.find_charge);
        if (!number || !charge.with(*number).row()) return no("there is no such charge");
        const Cents cents = charge.number(1);
        if (asked.amount_cents != cents) return no("a charge is refunded whole");
        if (charge.number(2) != 0) return no("this charge was refunded before");
        Use(tables.refund_charge).with(*number).run();
        Use(tables.add_balance).with(charge.text(0), cents).run();
        Use(tables.add_refunded).with(cents).run();
        return Receipt{.charge_id = asked.charge_id};
    });
}

Credited Ledger::credit(std::string_view key, const Credit& asked) {
    Tables& tables = *tables_;
    if (asked.amount_cents < 0) return Credited{.declined = "a credit is not negative"};
    if (asked.customer_id.empty()) {
        Use(tables.set_opening).with(asked.amount_cents).run();
        return Credited{.accounts = tables.one(tables.count_accounts)};
    }
    const std::string question = fmt::format("credit {} {}", asked.amount_cents, asked.customer_id);
    const Receipt answer = tables.once(key, question, [&] {
        if (asked.customer_id.size() > kMostIdBytes)
            return no(fmt::format("a customer's id has 1 to {} bytes", kMostIdBytes));
        if (!tables.give(asked.customer_id, asked.amount_cents))
            return no("the bank's books are full");
        return Receipt{};
    });
    return Credited{.accounts = tables.one(tables.count_accounts), .declined = answer.declined};
}

BankBooks Ledger::books(const AskBooks& asked) const {
    BankBooks books;
    if (asked.after == 0) {
        Use sums(tables_->all_sums);
        sums.row();
        books = {.accounts = sums.number(0),
                 .credit_cents = sums.number(1),
                 .balance_cents = sums.number(2),
                 .charges = sums.number(3),
                 .charged_cents = sums.number(4),
                 .refunds = sums.number(5),
                 .refunded_cents = sums.number(6)};
    }
    Use page(tables_->page);
    page.with(asked.after, Cents{kPage});
    while (page.row())
        books.page.push_back({.number = page.number(0),
                              .charge_id = id_of(page.number(0)),
                              .customer_id = page.text(1),
                              .amount_cents = page.number(2),
                              .refunded_cents = page.number(3)});
    return books;
}

}  // namespace shop
