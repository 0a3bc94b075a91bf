// What saga doctor looks at.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "saga/cli/buckets.hpp"
#include "saga/cli/doctor.hpp"
#include "saga/core/shard.hpp"
#include "saga/core/subject.hpp"

namespace saga::cli {
namespace {

using nlohmann::json;

constexpr auto kPings = std::chrono::milliseconds(300);  // answers come within, or are late
constexpr int kPages = 40;                               // of consumers, 256 on each

bool local(const std::string& host) {
    return host == "localhost" || host == "::1" || host.starts_with("127.");
}

/// Why nobody could connect, and what to do about it.
Stop unreachable(const std::string& url, const Greeting& greeting, const std::string& why) {
    const auto endpoint = endpoint_of(url);
    if (!endpoint)
        return Stop(kUnreachable, fmt::format("\"{}\" is no address of a nats-server: one is such "
                                              "as nats://127.0.0.1:4222",
                                              url));
    if (greeting.info && why.find("refuses") != std::string::npos) return Stop(kUnreachable, why);
    if (greeting.info)
        return Stop(kUnreachable,
                    fmt::format("the nats-server at {} greets and does not let saga in: give "
                                "--tlsca, --tlscert and --tlskey where it wants TLS",
                                url));
    if (greeting.trouble.find("no nats-server") != std::string::npos) {
        const std::string who = local(endpoint->host) ? who_listens(endpoint->port) : "";
        return Stop(kUnreachable,
                    fmt::format("{} at {}{}: name another address with --server or "
                                "NATS_URL",
                                greeting.trouble, url, who.empty() ? "" : ", but " + who));
    }
    return Stop(kUnreachable,
                fmt::format("no nats-server answers at {} ({}): start one with `saga dev --config "
                            "services/shop.ini` or `nats-server -js`, or name another with "
                            "--server or NATS_URL",
                            url, greeting.trouble));
}

std::vector<json> consumers(bus::NatsClient& client, std::chrono::milliseconds timeout) {
    std::vector<json> found;
    const std::string subject = fmt::format("$JS.API.CONSUMER.LIST.{}", core::kStream);
    for (int page = 0; page < kPages; ++page) {
        const json ask{{"offset", found.size()}};
        const json answer = api_or_null(client, subject, ask.dump(), timeout);
        const json part = list(answer, "consumers");
        for (const json& each : part)
            if (each.is_object()) found.push_back(each);
        if (part.empty() || found.size() >= field(answer, "total", std::size_t{0})) break;
    }
    return found;
}

std::vector<Ping> pings(bus::NatsClient& client, std::chrono::milliseconds timeout) {
    std::vector<Ping> found;
    for (const std::string& text :
         client.request_many("$SRV.PING", "", std::min(kPings, timeout))) {
        const json answer = read_json(text);
        core::Instance self{field<std::string>(answer, "name", ""), {}};
        const nlohmann::json metadata =
            answer.is_object() ? answer.value("metadata", json()) : json();
        if (const auto shard = core::parse_shard(field<std::string>(metadata, "saga.shard", "")))
            self.shard = *shard;
        if (!self.service.empty())
            found.push_back({self.name(), field<std::string>(answer, "id", "")});
    }
    return found;
}

ServiceSeen service(const Participants& participants, const std::string& name) {
    ServiceSeen seen{.name = name};
    try {
        seen.state = participants.state(name);
        if (!seen.state || seen.state->parked + seen.state->dead + seen.state->aside == 0)
            return seen;
        if (auto letters = participants.letters(name, true)) seen.letters = std::move(*letters);
    } catch (const Stop& refusal) {
        seen.refusal = refusal.what();
    }
    return seen;
}

/// Everything that JetStream keeps, and the services that stand there.
void look(Examination& seen, bus::NatsClient& client, std::chrono::milliseconds timeout) {
    seen.account = api_or_null(client, "$JS.API.INFO", "", timeout);
    for (bus::Asset& asset : bus::assets(1, 0)) {
        const std::string subject = fmt::format("$JS.API.STREAM.INFO.{}", asset.stream);
        seen.assets.push_back({std::move(asset), api_or_null(client, subject, "", timeout)});
    }
    seen.consumers = consumers(client, timeout);
    seen.pings = pings(client, timeout);
    seen.later = consumers(client, timeout);
    seen.dev = ask_dev(client, timeout);
    const std::vector<std::string> meant = meant_to_run(client, timeout);
    seen.meant_known = !meant.empty();
    const Landscape known = landscape(client, timeout);
    seen.unreadable = known.unreadable();
    const Bucket owners(client, core::kOwners, timeout);
    const Participants participants(client, timeout);
    for (const std::string& name : known_services(client, known, timeout)) {
        ServiceSeen& one = seen.services.emplace_back(service(participants, name));
        one.meant = std::find(meant.begin(), meant.end(), name) != meant.end();
        const json owner = read_json(owners.get(name).value_or("{}"));
        one.owner = field<std::string>(owner, "instance", "");
        one.owner_where = field<std::string>(owner, "where", "");
    }
}

}  // namespace

Examination examine(const Options& options) {
    Examination seen{.url = options.reach().url};
    const auto endpoint = endpoint_of(seen.url);
    const Greeting greeting = endpoint ? greet(*endpoint, options.timeout) : Greeting{};
    seen.broker = greeting.info;
    std::unique_ptr<bus::NatsClient> client;
    try {
        client = options.connect();
    } catch (const Stop& failure) {
        throw unreachable(seen.url, greeting, failure.what());
    }
    if (seen.broker && !seen.broker->jetstream) return seen;
    try {
        look(seen, *client, options.timeout);
    } catch (const Stop& failure) {
        seen.trouble = failure.what();
    }
    return seen;
}

}  // namespace saga::cli
