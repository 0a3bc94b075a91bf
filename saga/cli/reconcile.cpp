// saga reconcile: what a service would publish again, and what it does not know of itself.
#include "saga/cli/reconcile.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/cli/buckets.hpp"
#include "saga/cli/command_line.hpp"
#include "saga/cli/history.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/participants.hpp"
#include "saga/cli/stopped.hpp"
#include "saga/cli/words.hpp"
#include "saga/core/shard.hpp"
#include "saga/core/subject.hpp"
#include "saga/runtime/operations.hpp"
#include "saga/runtime/stream_view.hpp"
#include "saga/store/database.hpp"
#include "saga/view/message_json.hpp"

namespace saga::cli {
namespace {

using What = Difference::What;

struct Given {
    std::vector<std::string> services;
    std::string data;
};

Published published_by(const Options& options, bus::NatsClient& client,
                       const std::string& instance) {
    const core::Instance self = core::parse_instance(instance);
    const StreamState stream = stream_state(client, options.timeout);
    Published published{.events = {},
                        .first_seq = stream.first_seq,
                        .last_seq = stream.last_seq,
                        .created_ns = stream.created.time_since_epoch().count()};
    runtime::StreamView(options.reach())
        .read({.filter = fmt::format("saga.{}.>", self.service), .timeout = options.timeout},
              [&](const core::Message& message) {
                  const core::Envelope& e = message.envelope();
                  if (e.source == self.service && self.shard.takes(e.saga))
                      published.events.emplace(
                          e.id.text(),
                          Published::Event{message.seq(),
                                           std::string(detail::split_type(e.type).name),
                                           std::string(e.saga)});
                  return true;
              });
    return published;
}

/// A stopped service's file, which nobody else opens meanwhile.
class File {
  public:
    explicit File(const std::string& path)
        : db_({.path = path, .vfs = {}}), outbox_(db_), cursor_(db_) {}
    nlohmann::ordered_json page(std::int64_t after) {
        const nlohmann::json body{{"after", after}};
        return nlohmann::ordered_json::parse(
            runtime::list_outbox(outbox_, cursor_.position(), body.dump()));
    }

  private:
    store::Database db_;
    store::Outbox outbox_;
    store::Cursor cursor_;
};

OutboxPage pages_of(const Participants& participants, const Given& given,
                    const std::string& service) {
    if (given.data.empty())
        return [&participants, service](std::int64_t after) {
            auto page = participants.ask(service, "outbox", {{"after", after}});
            if (page && page->is_object()) return *page;
            throw Stop(kUnreachable, fmt::format("{} does not answer: is it running? Of one that "
                                                 "is stopped: saga reconcile {} --data FOLDER",
                                                 service, service));
        };
    return [file = std::make_shared<File>(database_in(given.data, service))](std::int64_t after) {
        return file->page(after);
    };
}

const char* word(What what) {
    switch (what) {
        case What::unsent:
            return "to be published";
        case What::lost:
            return "lost, to be published again";
        case What::unknown:
            return "unknown to the database, to be caught up";
    }
    return "";
}

std::string number(std::uint64_t value) {
    return value == 0 ? "-" : std::to_string(value);
}

void print(const Options& options, const std::string& service,
           const std::vector<Difference>& found) {
    if (options.json) {
        for (const Difference& each : found)
            out(line(nlohmann::ordered_json{{"service", service},
                                            {"what", word(each.what)},
                                            {"event", each.event},
                                            {"saga", each.saga},
                                            {"id", each.id},
                                            {"outbox_seq", each.outbox_seq},
                                            {"stream_seq", each.stream_seq}}) +
                "\n");
        return;
    }
    if (found.empty()) return out(fmt::format("{}: outbox and stream agree\n", service));
    Table table({"service", "event", "saga", ">outbox", ">stream", "what"});
    for (const Difference& each : found)
        table.row({{service, Cell::Style::bold},
                   harmless(each.event),
                   harmless(each.saga),
                   number(static_cast<std::uint64_t>(each.outbox_seq)),
                   number(each.stream_seq),
                   {word(each.what),
                    each.what == What::unsent ? Cell::Style::plain : Cell::Style::yellow}});
    table.print(Paint());
}

void reconcile(const Options& options, const Given& given) {
    if (!given.data.empty() && given.services.empty())
        throw Stop(kUsage, "name the services whose files they are");
    const auto client = options.connect();
    const Participants participants(*client, options.timeout);
    for (const std::string& name : chosen_services(*client, options.timeout, given.services)) {
        const OutboxPage page = pages_of(participants, given, name);
        // What is committed from here on may be in the outbox and not yet in what we read.
        const nlohmann::json first = page(0);
        const Before before{field(first, "next_seq", std::int64_t{0}),
                            field(first, "cursor", std::uint64_t{0})};
        print(options, name, differences(published_by(options, *client, name), before, page));
    }
}

}  // namespace

std::vector<Difference> differences(Published published, const Before& before,
                                    const OutboxPage& page) {
    std::vector<Difference> found;
    std::uint64_t cursor = 0;
    for (std::int64_t after = 0; after >= 0;) {
        const nlohmann::json answer = page(after);
        if (after == 0) cursor = field(answer, "cursor", std::uint64_t{0});
        const bool same_stream =
            field(answer, "stream_created_ns", std::int64_t{0}) == published.created_ns;
        const nlohmann::json rows = answer.value("rows", nlohmann::json::array());
        for (const nlohmann::json& row : rows) {
            const std::string id = field<std::string>(row, "id", "");
            const std::string subject = field<std::string>(row, "subject", "");
            const auto at = field(row, "stream_seq", std::uint64_t{0});
            after = field(row, "seq", std::int64_t{0});
            const auto event = core::parse_event_subject(subject);
            if (published.events.erase(id) > 0 || !event || after >= before.next_seq) continue;
            // Trimmed by age, or read back behind what we have read: since then, or it is lost.
            const bool since = at > published.last_seq && at > before.cursor;
            if (same_stream && at != 0 && (at < published.first_seq || since)) continue;
            found.push_back({at == 0 ? What::unsent : What::lost, std::string(event->event),
                             field<std::string>(row, "saga", ""), id, after, at});
        }
        if (rows.size() < core::kMaxOutboxListed) after = -1;
    }
    const auto by_place = static_cast<std::ptrdiff_t>(found.size());
    for (auto& [id, event] : published.events)
        if (event.seq > cursor)
            found.push_back({What::unknown, event.event, event.saga, id, 0, event.seq});
    std::sort(found.begin() + by_place, found.end(),
              [](const Difference& a, const Difference& b) { return a.stream_seq < b.stream_seq; });
    return found;
}

void add_reconcile(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command(
        "reconcile", "What the outbox has and the stream has not, and the other way round");
    command.group("Operate");
    command.footer(
        "Examples:\n"
        "  saga reconcile\n"
        "  saga reconcile payment --data /var/lib/payment     of a stopped one\n"
        "Nothing has to be done about it: the service does it by itself.");
    command.argument("service", given->services, "these; otherwise all that are known");
    command.option("--data", given->data, "folder of a stopped service's files").type("FOLDER");
    command.runs([&options, given] { reconcile(options, *given); });
}

}  // namespace saga::cli
