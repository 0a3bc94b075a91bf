#include "tests/integration/stage.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "saga/bus/nats_client.hpp"
#include "saga/bus/quiet_listener.hpp"
#include "saga/core/shard.hpp"
#include "saga/core/subject.hpp"
#include "saga/runtime/stream_view.hpp"
#include "saga/store/backup.hpp"

namespace saga::testing {

namespace fs = std::filesystem;

namespace {

struct Ears final : bus::QuietListener {
    void connected(const bus::Server&) override { up = true; }
    bool up = false;
};

std::string_view text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

bus::Address address_of(const Broker& broker) {
    bus::Address address;
    address.url = broker.url();
    return address;
}

std::string request(const Broker& broker, const std::vector<Instance*>& all,
                    const std::string& subject, std::string_view body) {
    const auto service = subject.substr(subject.find('.') + 1);
    const auto instance = core::parse_instance(service.substr(0, service.find('.')));
    bus::NatsBus client(address_of(broker), instance.service,
                        "0123456789abcdef");  // a service answers its own inboxes
    Ears ears;
    std::string answer;
    bool asked = false;
    const auto heard = [&](const bus::Result<std::string>& result) {
        const auto* said = std::get_if<std::string>(&result);
        asked = said != nullptr && said->find("unavailable") == std::string::npos;
        if (asked) answer = *said;
    };
    drive(all, [&] {
        client.poll(ears, std::chrono::steady_clock::now());
        if (ears.up && !std::exchange(asked, true)) client.ask(subject, {}, body, 1s, heard);
        client.flush();
        return !answer.empty();
    });
    return answer;
}

std::string ask(const Broker& broker, const std::vector<Instance*>& all, const std::string& ticket,
                int amount) {
    const auto body = detail::pack(test::Ask{.ticket = ticket, .amount = amount});
    return request(broker, all, "saga-ctl.asker.ask", text(body));
}

std::string api(const Broker& broker, const std::string& subject, std::string_view body) {
    bus::NatsClient client(address_of(broker), "a test");
    std::string answer = client.request_text("$JS.API." + subject, body, 5s);
    if (answer.find("\"error\"") != std::string::npos) throw std::runtime_error(answer);
    return answer;
}

std::uint64_t inject(const Broker& broker, const std::string& subject, Bytes bytes,
                     const core::Headers& headers) {
    bus::NatsClient client(address_of(broker), "a stranger");
    const auto answer = client.request(subject, bytes, 5s, headers);
    return nlohmann::json::parse(text(answer)).value("seq", std::uint64_t{0});
}

std::uint64_t inject(const Broker& broker, const core::Envelope& envelope) {
    const auto subject =
        core::event_subject(envelope.source, envelope.kind, detail::split_type(envelope.type).name,
                            envelope.saga, false);
    return inject(broker, subject, core::encode(envelope), core::headers_of(envelope));
}

Counted count_stream(const Broker& broker) {
    Counted counted;
    runtime::StreamView(address_of(broker)).read({}, [&](const core::Message& message) {
        ++counted.names[std::string(detail::split_type(message.envelope().type).name)];
        ++counted.ids[message.envelope().id.text()];
        ++counted.total;
        return true;
    });
    return counted;
}

std::map<std::string, std::string> ends(const Broker& broker) {
    std::map<std::string, std::string> words;
    runtime::StreamView view(address_of(broker));
    view.read({.filter = "saga.*.ended.>"}, [&](const core::Message& message) {
        const core::Envelope& e = message.envelope();
        const auto [at, fresh] = words.emplace(e.saga, detail::split_type(e.type).name);
        CHECK((fresh || at->second == detail::split_type(e.type).name));
        return true;
    });
    return words;
}

std::int64_t ended(Instance& asker) {
    return asker.value("SELECT count(*) FROM sagas WHERE ended_by != ''");
}

EventId any_id(std::uint8_t nth) {
    EventId id;
    id.bytes.fill(nth);
    return id;
}

// ---- the landscape ------------------------------------------------------------------------------

Landscape::Landscape(const std::string& binary, Service the_auditor, Instance::Options its)
    : broker(binary), check(std::move(the_auditor)), checks(std::move(its)) {
    broker.bootstrap();
    start();
    REQUIRE(drive(all(), [&] { return ready(); }));
}

void Landscape::start() {
    start_asker();
    start_granter();
    start_auditor();
}

std::vector<Instance*> Landscape::all() {
    std::vector<Instance*> there;
    for (auto* each : {&asking, &granting, &auditing})
        if (each->has_value()) there.push_back(&**each);
    return there;
}

bool Landscape::drive_all(const std::function<bool()>& met, std::chrono::milliseconds limit) {
    if (drive(all(), met, limit)) return true;
    for (Instance* each : all()) MESSAGE(each->state());
    return false;
}

std::string Landscape::ask(const std::string& ticket, int amount) {
    return testing::ask(broker, all(), ticket, amount);
}

bool Landscape::at_rest() {
    bool rest = true;
    for (Instance* instance : all())
        rest = rest && instance->ready() &&
               instance->value("SELECT count(*) FROM outbox WHERE stream_seq IS NULL") == 0 &&
               instance->value("SELECT count(*) FROM parked") == 0;
    return rest && ended(*asking) == asking->value("SELECT count(*) FROM sagas");
}

void copy_database(Instance& instance, const std::string& path) {
    store::Backup backup(instance.store().db(), path);
    while (!backup.step()) continue;
}

void save(Landscape& landscape, Instance& instance) {
    fs::remove(landscape.folder / "backup");
    copy_database(instance, landscape.folder / "backup");
}

void restore(Landscape& landscape, const std::string& service) {
    const std::string file = landscape.file(service);
    for (const char* tail : {"-wal", "-shm"}) fs::remove(file + tail);
    fs::copy_file(landscape.folder / "backup", file, fs::copy_options::overwrite_existing);
}

Process victim(const Landscape& landscape, const std::vector<std::string>& variables) {
    return {"integration-victim",
            {"--data", landscape.folder.path().string(), "--server", landscape.broker.url()},
            landscape.folder / "victim.log",
            variables};
}

std::int64_t left(const Landscape& landscape, const std::string& service, std::string_view select) {
    store::Store store({.path = landscape.file(service), .vfs = {}}, {});
    store::Statement statement(store.db(), select);
    return store::number(statement);
}

}  // namespace saga::testing
