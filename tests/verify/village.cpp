#include "tests/verify/village.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/runtime/contract_json.hpp"

namespace saga::testing {

namespace {

constexpr Time kBegin{std::chrono::hours(24 * 365 * 56)};

class Counter final : public runtime::Random {
  public:
    std::uint64_t next() override { return value_ += 7919; }

  private:
    std::uint64_t value_ = 0;
};

core::IdKey key_of(std::size_t nth) {
    std::array<std::uint8_t, core::IdKey::kSize> secret{};
    secret[0] = static_cast<std::uint8_t>(nth + 1);
    return core::IdKey(secret);
}

}  // namespace

struct Village::House {
    House(Service given, std::size_t nth, const std::string& path)
        : key(key_of(nth)),
          service(std::move(given)),
          store({.path = path, .vfs = {}}, service.contract().tables),
          worker(service.contract(), store, key, random, outgoing, {}) {}

    core::IdKey key;
    std::size_t read = 0;  // of the stream
    Service service;
    Counter random;
    core::Outgoing outgoing;
    store::Store store;
    runtime::Worker worker;
    runtime::Inbound in;
};

Village::Village(std::vector<Service> services, runtime::Ask ask, const std::string& folder)
    : ask_(std::move(ask)), now_(kBegin) {
    for (Service& service : services) {
        const std::string name = service.contract().service;
        const std::string path =
            folder.empty() ? ":memory:" : fmt::format("{}/{}.db", folder, name);
        houses_.emplace(name, std::make_unique<House>(std::move(service), houses_.size(), path));
    }
}

Village::~Village() = default;

Village::House& Village::house(const std::string& service) {
    return *houses_.at(service);
}

std::string Village::submit(const std::string& service, const std::string& verb,
                            std::vector<std::byte> body) {
    House& its = house(service);
    const auto& commands = its.service.contract().commands;
    const auto command = std::find_if(commands.begin(), commands.end(),
                                      [&](const auto& each) { return each.verb == verb; });
    std::optional<verify::Answer> answer;  // an operator's word is no command
    if (command != commands.end()) answer = {service, verb, command->key(body)};
    its.in.requests.push_back({verb, std::move(body), ++tokens_});
    runtime::Committed done = its.worker.round(its.in, now_);
    for (store::OutboxRow& row : done.published) inject(row.subject, std::move(row.envelope));
    std::string json = done.replies.empty() ? "" : done.replies.back().json;
    if (answer) {
        const bool accepted = json.find("\"accepted\"") != std::string::npos;
        answer->told = accepted ? verify::Told::accepted : verify::Told::refused;
        answers_.push_back(*std::move(answer));
    }
    return json;
}

void Village::inject(std::string subject, std::vector<std::byte> bytes) {
    now_ += std::chrono::microseconds(1);
    stream_.push_back(
        {stream_.size() + 1, std::move(subject), core::StoreTime(now_), std::move(bytes)});
}

void Village::deliver(House& house) {
    for (; house.read < stream_.size(); ++house.read) {
        const verify::Stored& stored = stream_[house.read];
        if (house.worker.subscription().wants(stored.subject))
            house.in.messages.push_back(
                {stored.subject, stored.bytes, stored.seq, stored.stored_at});
    }
    house.in.read_to = stream_.size();
    house.in.timers_until = now_;
}

bool Village::round(House& house) {
    deliver(house);
    runtime::Committed done = house.worker.round(house.in, now_);
    for (store::OutboxRow& row : done.published) {
        if (row.subject.starts_with("saga-dlq."))
            house.in.stored_letters.emplace_back(row.seq, ++letters_);
        else
            inject(row.subject, std::move(row.envelope));
    }
    return done.items > 0 || !done.published.empty();
}

void Village::turn(const std::string& service) {
    round(house(service));
}

void Village::perform_calls(House& house) {
    const auto& contract = house.service.contract();
    for (const std::int64_t call : house.store.calls.due(now_, 100)) {
        store::Calls::Row row = house.store.calls.find(call).value();
        const auto step = std::find_if(contract.steps.begin(), contract.steps.end(),
                                       [&](const auto& each) { return each.name == row.step; });
        const core::SagaRow saga = house.store.sagas.find(row.saga);
        const EventId key =
            house.key.id(saga.started, {contract.service, saga.id, row.step, core::Role::call,
                                        static_cast<std::uint32_t>(row.part), row.run});
        const bool undo = row.part == core::Part::undo;
        house.in.answers.push_back(runtime::perform({.call = row.call,
                                                     .code = undo ? &step->undo : &step->code,
                                                     .question = std::move(row.question),
                                                     .key = key.text(),
                                                     .attempt = row.attempts + 1},
                                                    {}, ask_));
    }
}

void Village::settle() {
    bool busy = true;
    while (busy) {
        busy = false;
        for (auto& [name, house] : houses_) {
            busy = round(*house) || busy;
            if (ask_) perform_calls(*house);
            busy = busy || !house->in.answers.empty() || !house->in.stored_letters.empty();
        }
    }
}

void Village::elapse(std::chrono::milliseconds time) {
    const Time until = now_ + time;
    while (true) {
        std::optional<Time> due;
        for (auto& [name, house] : houses_)
            for (const auto& next : {house->worker.next_due(), house->store.calls.next_due()})
                if (next && (!due || *next < *due)) due = next;
        if (!due || *due > until) break;
        now_ = std::max(now_, *due);
        settle();
    }
    now_ = std::max(now_, until);
}

sqlite3* Village::db(const std::string& service) {
    return house(service).store.db().handle();
}

void Village::exec(const std::string& service, const std::string& sql) {
    house(service).store.db().exec(sql);
}

std::int64_t Village::value(const std::string& service, const std::string& select) {
    store::Statement statement(house(service).store.db(), select);
    return store::number(statement);
}

verify::Landscape Village::landscape() {
    verify::Landscape now;
    for (const auto& [name, house] : houses_)
        now.services.push_back(
            {.service = name,
             .db = house->store.db().handle(),
             .contract = nlohmann::json::parse(runtime::contract_json(house->service.contract()))});
    now.stream = stream_;
    now.answers = answers_;
    return now;
}

}  // namespace saga::testing
