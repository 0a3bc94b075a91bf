// saga wait: until a saga's last word.
#include <saga/detail/event_type.hpp>

#include "saga/cli/command_line.hpp"
#include "saga/cli/interrupt.hpp"
#include "saga/cli/observer.hpp"
#include "saga/cli/output.hpp"
#include "saga/cli/timeline.hpp"
#include "saga/core/subject.hpp"
#include "saga/runtime/stream_view.hpp"

namespace saga::cli {
namespace {

struct Given {
    std::string saga;
    std::chrono::milliseconds timeout{60'000};
};

/// Its last word, and what failed it.
struct Word {
    std::string event, because;
    std::chrono::microseconds took{0};
};

std::optional<Word> word_of(const core::Envelope& envelope, const std::string& saga) {
    if (envelope.saga != saga || envelope.kind != Kind::ended) return std::nullopt;
    return Word{std::string(detail::split_type(envelope.type).name), std::string(envelope.because),
                envelope.time - envelope.started};
}

/// A reader of one filter that ends with the first last word of the saga.
std::optional<Word> read(const Options& options, const std::string& saga,
                         const runtime::StreamView::Range& range) {
    std::optional<Word> word;
    runtime::StreamView view(options.reach());
    view.read(range, [&](const core::Message& message) {
        word = word_of(message.envelope(), saga);
        return !word;
    });
    return word;
}

/// What was said already, as an observer knows it, or else the stream.
std::optional<Word> said(const Options& options, bus::NatsClient& client, const std::string& saga,
                         const StreamState& head) {
    if (const auto events = Observer(client, options.timeout).events(saga, head)) {
        for (const bus::StoredMessage& each : *events) {
            const auto envelope = core::decode(each.bytes);
            if (!std::holds_alternative<core::Envelope>(envelope)) continue;
            if (auto word = word_of(std::get<core::Envelope>(envelope), saga)) return word;
        }
        return std::nullopt;
    }
    const std::string partition = fmt::format("saga.*.ended.*.{}", core::partition_token(saga));
    for (const std::string& filter : {partition, fmt::format("{}.{}", partition, saga)})
        if (auto word = read(options, saga, {.filter = filter, .timeout = options.timeout}))
            return word;
    return std::nullopt;
}

std::optional<Word> await(const Options& options, const Given& given) {
    const auto client = options.connect();
    const StreamState head = stream_state(*client, options.timeout);
    if (auto word = said(options, *client, given.saga, head)) return word;
    const Interrupt interrupt;
    auto word = read(options, given.saga,
                     {.filter = "saga.*.ended.>",
                      .from = head.last_seq + 1,
                      .timeout = given.timeout,
                      .follow = true,
                      .stop = [&] { return interrupt.asked(); }});
    if (interrupt.asked()) throw Stop(kInterrupted, "interrupted");
    return word;
}

void wait(const Options& options, const Given& given) {
    require_saga_id(given.saga);
    const auto word = await(options, given);
    if (!word)
        throw Stop(kUnreachable,
                   fmt::format("{} has not said its last word within {}: see `saga trace {}`",
                               given.saga, brief(given.timeout), given.saga));
    const bool held = word->because.empty();
    if (options.json)
        out(line({{"saga", given.saga},
                  {"state", held ? "completed" : "undone"},
                  {"last_word", word->event},
                  {"failed_by", word->because},
                  {"duration_us", word->took.count()}}) +
            "\n");
    else
        out(held ? fmt::format("{} completed in {}: {}\n", given.saga, brief(word->took),
                               word->event)
                 : fmt::format("{} was undone after {}: {}, because of {}\n", given.saga,
                               brief(word->took), word->event, word->because));
    if (!held) throw Stop(kUndone, "");
}

}  // namespace

void add_wait(Command& tool, Options& options) {
    auto given = std::make_shared<Given>();
    Command command = tool.command("wait", "Wait until a saga has said its last word");
    command.group("Look");
    command.footer(
        "Examples:\n"
        "  saga wait o-1001\n"
        "  saga wait o-1001 --timeout 5m && echo shipped\n\n"
        "Exits with 0 when it completed, 5 when it was undone, 4 when the time passed. The undos "
        "of\n"
        "others may follow the last word: saga trace --follow waits for them too.");
    command.argument("saga", given->saga, "its id; it need not have begun").required();
    command.option("--timeout", given->timeout, "at most so long; otherwise 1m");
    command.runs([&options, given] { wait(options, *given); });
}

}  // namespace saga::cli
