#include "saga/cli/inquiry.hpp"

#include "saga/cli/history.hpp"
#include "saga/cli/landscape.hpp"
#include "saga/cli/participants.hpp"
#include "saga/cli/schemas.hpp"

namespace saga::cli {

Inquiry inquire(const Options& options, const std::string& saga) {
    require_saga_id(saga);
    Inquiry found{.saga = saga};
    const auto client = options.connect();
    const StreamState head = stream_state(*client, options.timeout);
    found.landscape = landscape(*client, options.timeout);
    found.schemas.add(found.landscape);
    SchemaCache().keep(found.landscape);
    read_saga(options, *client, saga, head,
              [&](const core::Message& message) { add(found, message); });
    if (found.facts.empty())
        throw Stop(kNotFound, fmt::format("the stream has no event of a saga {}: is that its id? "
                                          "`saga ls` shows the latest ones",
                                          saga));
    ask_services(found, *client, options.timeout);
    return found;
}

void ask_services(Inquiry& inquiry, bus::NatsClient& client, std::chrono::milliseconds timeout) {
    const Participants participants(client, timeout);
    view::ask_services(inquiry, [&](const std::string& service) {
        return participants.letters(service, true, inquiry.saga);
    });
}

}  // namespace saga::cli
