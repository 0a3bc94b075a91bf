// saga watch: events as they happen, a line each.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/cli/command_line.hpp"
#include "saga/cli/history.hpp"
#include "saga/cli/interrupt.hpp"
#include "saga/cli/landscape.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/schemas.hpp"
#include "saga/cli/timeline.hpp"
#include "saga/core/subject.hpp"
#include "saga/core/text.hpp"
#include "saga/runtime/stream_view.hpp"

namespace saga::cli {
namespace {

struct Given {
    std::string saga, service, kind, event;
    std::chrono::milliseconds since{0}, timeout{0};
    std::uint64_t count = 0;
    bool wide = false;
};

/// What the broker can pick by itself; the saga is looked at here.
std::string filter_of(const Given& given) {
    const auto token = [](const std::string& word) { return word.empty() ? "*" : word; };
    return fmt::format("saga.{}.{}.{}.>", token(given.service), token(given.kind),
                       token(given.event));
}

void check(const Given& given) {
    if (!given.saga.empty()) require_saga_id(given.saga);
    for (const std::string* word : {&given.service, &given.event})
        if (!word->empty() && !core::is_saga_id(*word))
            throw Stop(kUsage, fmt::format("\"{}\" is no name of a service or an event: give the "
                                           "short one, such as PaymentTaken",
                                           harmless(*word)));
}

class Printer {
  public:
    Printer(const Options& options, const Schemas& schemas, bool wide)
        : options_(options), schemas_(schemas), edge_(wide ? std::nullopt : terminal_width()) {}

    void print(const core::Message& message) {
        const core::Envelope& envelope = message.envelope();
        if (options_.json) {
            nlohmann::ordered_json json{{"seq", message.seq()}};
            json.update(event_json(envelope, schemas_));
            return out_now(line(json) + "\n");
        }
        const Fact fact = fact_of(message, words_);
        const Cell event = drawn(fact, 0);
        saga_ = std::max(saga_, envelope.saga.size());
        event_ = std::max(event_, width(event.text));
        const std::string space(event_ - width(event.text), ' ');
        const std::string time = clock_text(
            std::chrono::time_point_cast<std::chrono::system_clock::duration>(message.stored_at()));
        const std::size_t before = time.size() + saga_ + 12 + event_ + 8;
        std::string payload = line(payload_json(envelope.type, envelope.payload, schemas_));
        if (edge_) payload = shortened(payload, *edge_ > before + 10 ? *edge_ - before : 10);
        out_now(fmt::format("{}  {:<{}}  {:<12}  {}{}  {}\n", paint_.dim(time), envelope.saga,
                            saga_, envelope.source, painted(paint_, event), space,
                            paint_.dim(payload)));
    }

  private:
    const Options& options_;
    const Schemas& schemas_;
    std::optional<std::size_t> edge_;
    Paint paint_;
    Words words_;
    std::size_t saga_ = 8, event_ = 20;  // the columns' widths so far
};

void watch(const Options& options, const Given& given) {
    check(given);
    const auto client = options.connect();
    const std::uint64_t head = stream_state(*client, options.timeout).last_seq;
    std::uint64_t from = head + 1;
    if (given.since.count() > 0)
        from = first_since(*client,
                           std::chrono::floor<std::chrono::microseconds>(
                               std::chrono::system_clock::now() - given.since),
                           options.timeout);
    const Landscape known = landscape(*client, options.timeout);
    SchemaCache().keep(known);
    Schemas schemas;
    schemas.add(known);
    Printer printer(options, schemas, given.wide);
    const Interrupt interrupt;
    std::uint64_t shown = 0;
    const bool forever = given.timeout.count() == 0;
    runtime::StreamView view(options.reach());
    view.read(
        {.filter = filter_of(given),
         .from = from,
         .timeout = forever ? std::chrono::hours(24 * 365) : given.timeout,
         .follow = true,
         .stop = [&] { return interrupt.asked(); }},
        [&](const core::Message& message) {
            if (!given.saga.empty() && message.envelope().saga != given.saga) return true;
            printer.print(message);
            return ++shown != given.count;
        },
        [&](std::uint64_t seq, std::string_view subject, std::string_view why) {
            note(fmt::format("{} on {}: no event, {}", seq, harmless(subject), harmless(why)));
        });
    if (interrupt.asked()) throw Stop(kInterrupted, "");
    if (shown < given.count)
        throw Stop(kUnreachable, fmt::format("only {} came within {}", count_text(shown, "event"),
                                             brief(given.timeout)));
}

}  // namespace

void add_watch(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command("watch", "Events as they happen, a line each");
    command.group("Look");
    command.footer(
        "Examples:\n"
        "  saga watch\n"
        "  saga watch --kind failed\n"
        "  saga watch --saga o-1001 --since 1h\n"
        "  saga watch --service payment --json | jq .payload");
    command.option("--saga", given->saga, "only of this saga").type("ID");
    command.option("--service", given->service, "only what it publishes").type("NAME");
    command.option("--kind", given->kind, "done, failed, undone or ended")
        .type("KIND")
        .one_of({"done", "failed", "undone", "ended"});
    command.option("--event", given->event, "such as PaymentTaken").type("NAME");
    command.option("--since", given->since, "begin with what came in this time");
    command.option("--count", given->count, "end after so many").type("N");
    command.option("--timeout", given->timeout, "end after so long; otherwise never");
    command.flag("-w,--wide", given->wide, "do not cut off at the terminal's edge");
    command.runs([&options, given] { watch(options, *given); });
}

}  // namespace saga::cli
