#include "saga/cli/command.hpp"

#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "saga/cli/nats_context.hpp"
#include "saga/view/bucket.hpp"

namespace saga::cli {

bus::Address Options::reach() const {
    bus::Address reached = address;
    apply_context(reached, context);
    if (reached.url.empty()) reached.url = "nats://127.0.0.1:4222";
    reached.timeout = timeout;
    return reached;
}

std::unique_ptr<bus::NatsClient> Options::connect() const {
    try {
        return std::make_unique<bus::NatsClient>(reach(), "saga");
    } catch (const Error& failure) {
        throw Stop(kUnreachable, failure.what());
    }
}

Paint::Paint() {
    const char* plain = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    on_ = ::isatty(STDOUT_FILENO) != 0 && (plain == nullptr || *plain == '\0') &&
          (term == nullptr || std::string_view(term) != "dumb");
}

std::string Paint::paint(std::string_view code, std::string_view text) const {
    return on_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

nlohmann::json api_or_null(bus::NatsClient& client, const std::string& subject,
                           const std::string& body, std::chrono::milliseconds timeout) {
    try {
        return view::ask_api(client, subject, body, timeout);
    } catch (const bus::NoAnswer& none) {
        throw Stop(kUnreachable, none.what());
    } catch (const Error& refusal) {
        throw Stop(kError, refusal.what());
    }
}

nlohmann::json api(bus::NatsClient& client, const std::string& subject, const std::string& body,
                   std::chrono::milliseconds timeout) {
    auto json = api_or_null(client, subject, body, timeout);
    if (json.is_null()) throw Stop(kNotFound, "there is nothing of that name: " + subject);
    return json;
}

}  // namespace saga::cli
