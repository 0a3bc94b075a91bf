// What saga doctor makes of what it saw of the services.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "saga/cli/buckets.hpp"
#include "saga/cli/doctor_broker.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/shard.hpp"

namespace saga::cli {
namespace {

using Severity = Finding::Severity;

constexpr double kOldSeconds = 30;            // an event is read back within milliseconds
constexpr std::uint64_t kFarBehind = 10'000;  // messages: more than wait in a reader's memory
constexpr std::int64_t kManyAttempts = 6;     // some seconds of the ladder of retries
constexpr std::uint64_t kLittleSpace = 500'000'000;
constexpr std::size_t kSaid = 200;  // characters of a program's last line

class Doctor {
  public:
    explicit Doctor(const Examination& seen) : seen_(seen) {}

    std::vector<Finding> take() {
        add_broker_findings(seen_, found_);
        for (const ServiceSeen& each : seen_.services) look(each);
        look_versions();
        look_dev();
        look_landscape();
        std::stable_sort(found_.begin(), found_.end(), [](const Finding& a, const Finding& b) {
            return a.severity > b.severity;
        });
        return std::move(found_);
    }

  private:
    void error(std::string about, const std::string& what, std::string mend) {
        found_.push_back({Severity::error, std::move(about), harmless(what), std::move(mend)});
    }
    void warn(std::string about, const std::string& what, std::string mend) {
        found_.push_back({Severity::warning, std::move(about), harmless(what), std::move(mend)});
    }

    const DevProgram* program(const std::string& name) const {
        if (!seen_.dev) return nullptr;
        const auto& all = seen_.dev->programs;
        const auto at = std::find_if(all.begin(), all.end(),
                                     [&](const DevProgram& each) { return each.name == name; });
        return at == all.end() ? nullptr : &*at;
    }

    void look(const ServiceSeen& each) {
        if (!each.refusal.empty())
            return error(each.name, "answers with what cannot be read: " + each.refusal,
                         "give saga and its services the same version");
        if (!each.state) return silent(each);
        look_instances(each);
        look_state(each.name, *each.state);
        look_letters(each);
    }

    void silent(const ServiceSeen& each) {
        std::string what = "does not answer";
        if (each.owner_where.empty())
            what += ", and has never run on this broker";
        else
            what += fmt::format(", last run by {}", each.owner_where);
        if (const DevProgram* it = program(each.name)) {
            if (it->running && it->deaths == 0)
                return error(each.name, "runs and does not answer yet",
                             "give it a moment: saga doctor --wait 30s");
            if (!it->ended.empty()) what = "does not answer: it " + it->ended;
            if (!it->said.empty())
                what += fmt::format("; its last words: {}", shortened(it->said, kSaid));
            return error(each.name, what, "mend what it says; saga dev starts it again by itself");
        }
        if (const std::uint64_t behind = pending(each.name); behind > 0)
            what += fmt::format("; {} wait for it", count_text(behind, "message"));
        if (each.meant || !seen_.meant_known)
            return error(each.name, what, start(each.name, ", or saga dev --config FILE"));
        warn(each.name, what + ", and is not among what saga dev runs", start(each.name, ""));
    }

    /// A shard has no contract of its own that could go: the others work by the service's.
    static std::string start(const std::string& name, std::string_view otherwise) {
        const core::Instance self = core::parse_instance(name);
        if (!self.shard.whole())
            return fmt::format("start it, with --shard {}{}", core::text_of(self.shard), otherwise);
        return fmt::format("start it{}; of one that is no more: nats kv del SAGA_CONTRACTS {}",
                           otherwise, name);
    }

    std::uint64_t pending(const std::string& service) const {
        for (const auto& each : seen_.later)
            if (field<std::string>(each, "name", "") == service)
                return field(each, "num_pending", std::uint64_t{0});
        return 0;
    }

    void look_instances(const ServiceSeen& each) {
        std::set<std::string> ids{each.state->instance};
        for (const Ping& ping : seen_.pings)
            if (ping.name == each.name) ids.insert(ping.id);
        if (ids.size() > 1)
            return error(
                each.name,
                fmt::format("{} instances of it answer: one name is for one process", ids.size()),
                fmt::format("nats service info {} shows them: stop all but one",
                            core::parse_instance(each.name).service));
        if (!each.owner.empty() && each.owner != each.state->instance)
            error(each.name,
                  fmt::format("answers from {}, while SAGA_OWNERS names another instance ({})",
                              each.state->where, each.owner_where),
                  "stop one of them");
    }

    void look_state(const std::string& name, const ServiceState& state) {
        const bool full = state.trouble.find("disk is full") != std::string::npos;
        if (!state.ready)
            error(name, fmt::format("is not ready: {}", state.trouble),
                  full ? "free space where its database is; it goes on by itself"
                       : fmt::format("wait for it: saga doctor --wait 30s; or see its log ({})",
                                     state.where));
        if (state.ready && state.lag > kFarBehind)
            warn(name, fmt::format("is {} behind", count_text(state.lag, "message")),
                 fmt::format("saga services {} shows whether it catches up", name));
        if (state.unsettled > 0 && state.oldest_seconds >= kOldSeconds)
            error(name,
                  fmt::format(
                      "{} wait to be read back from the stream, the oldest since {}",
                      count_text(state.unsettled, "event"),
                      brief(std::chrono::seconds(static_cast<std::int64_t>(state.oldest_seconds)))),
                  fmt::format("mend the broker first; saga outbox {}", name));
        if (state.ready && stuck(name))
            warn(name, "has messages to read and does not move",
                 fmt::format("see its log ({})", state.where));
    }

    /// Something waits for it, and nothing was given to it between two looks.
    bool stuck(const std::string& service) const {
        const auto delivered =
            [&](const std::vector<nlohmann::json>& consumers) -> std::optional<std::uint64_t> {
            for (const auto& each : consumers) {
                if (field<std::string>(each, "name", "") != service) continue;
                if (field(each, "num_pending", std::uint64_t{0}) == 0) return std::nullopt;
                const auto at = each.find("delivered");
                if (at != each.end()) return field(*at, "consumer_seq", std::uint64_t{0});
            }
            return std::nullopt;
        };
        const auto before = delivered(seen_.consumers);
        return before && before == delivered(seen_.later);
    }

    void look_letters(const ServiceSeen& each) {
        std::uint64_t undos = 0, dead = 0, aside = 0, old = 0;
        const Letter* first = nullptr;
        for (const Letter& letter : each.letters) {
            if (letter.aside())
                ++aside;
            else if (letter.dead())
                ++(letter.what == "undo" ? undos : dead);
            else if (letter.attempts >= kManyAttempts && ++old == 1)
                first = &letter;
        }
        const std::string ls = fmt::format("saga dlq ls {}", each.name);
        if (undos > 0)
            error(each.name,
                  fmt::format("{} failed for good: {} cannot be taken back",
                              count_text(undos, "undo"), undos == 1 ? "a saga" : "sagas"),
                  ls + ", then saga dlq retry");
        if (dead > 0)
            error(each.name, fmt::format("has {}", count_text(dead, "dead letter")),
                  ls + ", then retry, skip or drop");
        if (aside > 0)
            warn(
                each.name,
                fmt::format("has put {} aside that it cannot handle", count_text(aside, "message")),
                ls);
        if (old > 0)
            warn(each.name,
                 fmt::format("{} parked after {} or more attempts: {}",
                             old == 1 ? "an event is" : fmt::format("{} events are", old),
                             kManyAttempts, first->reason),
                 ls + " --all");
    }

    void look_versions() {
        std::map<std::string, std::vector<std::string>> by_version;
        for (const ServiceSeen& each : seen_.services)
            if (each.state) by_version[each.state->version].push_back(each.name);
        if (by_version.size() < 2) return;
        std::string text;
        for (const auto& [version, names] : by_version)
            text +=
                fmt::format("{}{}: {}", text.empty() ? "" : "; ", version, fmt::join(names, ", "));
        warn("services", fmt::format("are built from different versions of the library ({})", text),
             "build all of them from the newest");
    }

    void look_dev() {
        if (!seen_.dev) return;
        for (const DevProgram& each : seen_.dev->programs) {
            if (each.service || each.running) continue;
            std::string what = "does not run";
            if (!each.ended.empty()) what += ": it " + each.ended;
            if (!each.said.empty())
                what += fmt::format("; its last words: {}", shortened(each.said, kSaid));
            error(each.name, what, "mend what it says; saga dev starts it again by itself");
        }
        if (seen_.dev->free_bytes != 0 && seen_.dev->free_bytes < kLittleSpace)
            warn("disk",
                 fmt::format("only {} are free in {}", size_text(seen_.dev->free_bytes),
                             seen_.dev->data),
                 "free some, or give saga dev --data another folder");
    }

    void look_landscape() {
        for (const auto& [name, why] : seen_.unreadable)
            warn(name, "has published a contract that cannot be read: " + why,
                 "mend the contract, or give saga and its services the same version");
        const bool asked = seen_.trouble.empty() && (!seen_.broker || seen_.broker->jetstream);
        if (asked && seen_.services.empty())
            warn("services", "none has run on this broker, and none is meant to",
                 "saga dev --config services/shop.ini");
    }

    const Examination& seen_;
    std::vector<Finding> found_;
};

}  // namespace

std::vector<Finding> findings(const Examination& seen) {
    return Doctor(seen).take();
}

}  // namespace saga::cli
