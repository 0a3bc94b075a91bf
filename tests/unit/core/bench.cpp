#include "tests/unit/core/bench.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

namespace saga::test {

using core::Attempt;
using core::Part;

EventId id_of(const Given& event) {
    std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
    for (const char c : event.name) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211ULL;
    EventId id;
    std::memcpy(id.bytes.data(), &hash, sizeof hash);
    id.bytes[14] = static_cast<std::uint8_t>(event.kind);
    id.bytes[15] = static_cast<std::uint8_t>(event.number);
    return id;
}

Attempt fails(std::string_view event) {
    return {Attempt::Result::failure, {{event_type(event), {}}}, {}};
}

// ---- handlers -----------------------------------------------------------------------------------

Bench& Bench::next(const std::string& handler, const Attempt& attempt, int times) {
    for (int i = 0; i < times; ++i) next_[handler].push_back(attempt);
    return *this;
}

Attempt Bench::answer_of(const Handling& handling) {
    auto& planned = next_[handling.name];
    if (!planned.empty()) {
        const Attempt attempt = planned.front();
        planned.pop_front();
        return attempt;
    }
    if (handling.step == nullptr) return {};
    const bool runs = handling.name.starts_with("run ");
    const bool undoes = handling.name.starts_with("undo ");
    const bool asks =
        (runs && handling.step->code.calls()) || (undoes && handling.step->undo.calls());
    if (asks) return {Attempt::Result::asked, {{event_type("Question"), {}}}, {}};
    Attempt attempt;
    if (handling.name.starts_with("fire ")) {
        attempt.events.push_back({handling.step->expects.front().asks.front().type, {}});
    } else {
        const bool back = undoes || handling.name.starts_with("settle undo ");
        for (const detail::Emits& emits : back ? handling.step->undone : handling.step->emits)
            if (emits.kind != Kind::failed) attempt.events.push_back({emits.type, {}});
    }
    return attempt;
}

// ---- items --------------------------------------------------------------------------------------

template <class Work>
void Bench::item(Work work) {
    core::SagaState state = stored_.load();
    MemoryHost host(declared_.contract(), stored_,
                    [this](const Handling& handling) { return answer_of(handling); });
    core::Saga saga(declared_.contract(), state, host, facts_);
    work(saga);
    CHECK(text_of(stored_.load()) == text_of(state));
    did_.insert(did_.end(), host.log.begin(), host.log.end());
}

/// Of what was done already.
template <class Work>
void Bench::again(Work work) {
    const std::string before = text_of(stored_);
    const std::size_t did = did_.size();
    item(work);
    const bool quiet = did_.size() == did && text_of(stored_) == before;
    if (!quiet) did_.insert(did_.begin() + static_cast<std::ptrdiff_t>(did), "again:");
}

const core::Message& Bench::message(const Given& given) {
    const Given& event = events_.emplace_back(given);
    const std::string& type = types_.emplace_back("test.shop." + event.name);
    static constexpr std::array<std::byte, 1> kSound{std::byte{'.'}}, kUnsound{std::byte{'!'}};
    const core::Envelope envelope{.id = id_of(event),
                                  .type = type,
                                  .saga = "o1",
                                  .started = event.started,
                                  .cause = {},
                                  .source = "somebody",
                                  .kind = event.kind,
                                  .step = {},
                                  .because = event.because,
                                  .hops = event.hops,
                                  .trace = {},
                                  .sealed = {},
                                  .payload = event.sound ? Bytes(kSound) : Bytes(kUnsound)};
    return messages_.emplace_back(Bytes{}, envelope, messages_.size() + 1,
                                  core::Message::StoreTime{});
}

Bench& Bench::deliver(const Given& event) {
    const core::Message& at = message(event);
    const auto work = [&](core::Saga& saga) { saga.on_event(at); };
    item(work);
    again(work);
    return *this;
}

Bench& Bench::missed(const Given& event) {
    const core::Message& at = message(event);
    const auto work = [&](core::Saga& saga) {
        for (const detail::ReactionCode& reaction : declared_.contract().reactions)
            saga.on_missed(at, reaction);
    };
    item(work);
    again(work);
    return *this;
}

const core::Message* Bench::message_of(const StoredParked& row) const {
    return row.message == 0 ? nullptr : &messages_[row.message - 1];
}

void Bench::attempt(const StoredParked& due) {
    item([&](core::Saga& saga) { saga.on_retry(due.row, message_of(due)); });
}

Bench& Bench::retry() {
    for (int attempts = 0; attempts < 100; ++attempts) {
        const auto due = std::find_if(stored_.parked.begin(), stored_.parked.end(),
                                      [](const auto& row) { return row.due == Due::now; });
        if (due == stored_.parked.end()) return *this;
        attempt(StoredParked(*due));
    }
    FAIL("what is due never comes to rest");
    return *this;
}

Bench& Bench::backoff() {
    for (const StoredParked& waiting : std::vector(stored_.parked)) {
        const auto stands =
            std::find_if(stored_.parked.begin(), stored_.parked.end(),
                         [&](const auto& row) { return row.row.position == waiting.row.position; });
        if (waiting.due != Due::never && stands != stored_.parked.end())
            attempt(StoredParked(*stands));
    }
    return retry();
}

Bench& Bench::answer(const std::string& step, Part part) {
    const auto open = [&] {
        return std::any_of(stored_.calls.begin(), stored_.calls.end(), [&](const auto& each) {
            return each.step == step && each.part == part;
        });
    };
    REQUIRE(open());
    const core::StepRow row{.step = step};
    const auto work = [&](core::Saga& saga) { saga.on_answer(row, part, {}); };
    item(work);
    if (!open()) again(work);
    return *this;
}

Bench& Bench::silence(const std::string& step, Part part) {
    const auto call =
        std::find_if(stored_.calls.begin(), stored_.calls.end(),
                     [&](const auto& each) { return each.step == step && each.part == part; });
    REQUIRE(call != stored_.calls.end());
    call->given_up = true;
    const core::StepRow row{.step = step, .forward = stored_.step(step)->forward};
    item([&](core::Saga& saga) { saga.on_dead_call(row, part, "nobody answers"); });
    return *this;
}

Bench& Bench::timer(const std::string& step, std::uint32_t nth) {
    const auto* declared = core::find_step(declared_.contract(), step);
    const std::uint32_t deadline = core::deadline_of(*declared, nth);
    item([&](core::Saga& saga) { saga.on_timer({.step = step}, deadline); });
    return *this;
}

Bench& Bench::operate(core::Operation operation, const std::string& row) {
    for (const StoredParked& stands : std::vector(stored_.parked)) {
        if (!words_of(stands).starts_with(row)) continue;
        item([&](core::Saga& saga) {
            saga.on_operation(operation, stands.row, message_of(stands));
        });
        return *this;
    }
    FAIL("nothing is parked as " << row << ", but " << parked());
    return *this;
}

Bench& Bench::holds_locks() {
    stored_.locks = true;
    return *this;
}

// ---- in words -----------------------------------------------------------------------------------

std::string Bench::did() {
    std::string text = fmt::format("{}", fmt::join(did_, ", "));
    did_.clear();
    for (std::size_t at = 0; (at = text.find("again:, ", at)) != std::string::npos;)
        text.replace(at, 8, "again: ");
    return text;
}

std::string Bench::journal() const {
    constexpr std::array kStates{"",        "calling", "done",        "failed",
                                 "undoing", "undone",  "undo failed", "tombstone"};
    std::vector<core::StepRow> rows = stored_.steps;
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.nth < b.nth; });
    std::vector<std::string> words;
    for (const core::StepRow& row : rows)
        words.push_back(row.step + (row.run ? fmt::format("/{}", row.run.bytes[15]) : "") + " " +
                        kStates.at(static_cast<std::size_t>(row.state)));
    return fmt::format("{}", fmt::join(words, ", "));
}

std::string Bench::words_of(const StoredParked& each) const {
    constexpr std::array kWaits{"", "event", "step", "reaction", "undo", "timer", "call"};
    constexpr std::array kStates{"",       "retry",  "later", "locked",
                                 "unlike", "behind", "dead",  "dropped"};
    const core::ParkedRow& row = each.row;
    std::string name = row.step;
    if (name.empty() && each.message != 0) name = events_[each.message - 1].name;
    return fmt::format("{} {} {}", kWaits.at(static_cast<std::size_t>(row.what)), name,
                       kStates.at(static_cast<std::size_t>(row.state)));
}

std::string Bench::parked() const {
    std::vector<std::string> words;
    for (const StoredParked& row : stored_.parked) words.push_back(words_of(row));
    return fmt::format("{}", fmt::join(words, ", "));
}

std::string Bench::failures() const {
    return fmt::format("{}", fmt::join(stored_.saga.failures, " "));
}

}  // namespace saga::test
