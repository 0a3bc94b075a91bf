#include "tests/integration/instance.hpp"

#include <fmt/format.h>

namespace saga::testing {

Instance::Instance(Service service, std::string folder, std::string url, Options options)
    : service_(std::move(service)), options_(std::move(options)) {
    const Contract& contract = service_.contract();
    if (options_.name.empty()) options_.name = contract.service;
    const std::string base = folder + "/" + contract.service;
    store_ =
        std::make_unique<store::Store>(store::Database::Options{base + ".db", {}}, contract.tables);
    key_ = runtime::load_key(base + ".key", true);
    runtime::bind_key(*store_, *key_, base + ".key");
    bus::Address address;
    address.url = std::move(url);
    address.user = address.password = options_.user;
    const std::string nonce = fmt::format("{:016x}{:016x}", random_.next(), random_.next());
    bus_ = std::make_unique<bus::NatsBus>(address, contract.service, nonce);
    runtime::Ask ask = options_.ask;
    if (!ask) ask = [](auto...) -> std::vector<std::byte> { throw Error("nobody answers"); };
    caller_ = std::make_unique<InlineCaller>(std::move(ask));
    node_ = std::make_unique<runtime::Node>(
        contract, *store_, *key_, *bus_, clock_, random_, *caller_,
        runtime::Node::Options{.name = options_.name,
                               .instance = nonce,
                               .where = "a test",
                               .contract = options_.contract,
                               .key_path = base + ".key",
                               .backups = folder + "/backups",
                               .reserve_bytes = options_.reserve_bytes,
                               .rebuild = options_.rebuild,
                               .accept_history_loss = options_.accept_history_loss,
                               .worker = options_.worker,
                               .horizons = options_.horizons});
}

Instance::~Instance() {
    kill();
}

void Instance::turn() {
    if (!node_) return;
    try {
        node_->turn();
    } catch (const std::exception& stopped) {
        failure_ = stopped.what();
        kill();
    }
}

void Instance::stop() {
    if (!node_) return;
    node_->drain();
    drive({this}, [&] { return !node_ || node_->drained(); });
    if (node_) node_->stop();
    kill();
}

void Instance::kill() {
    node_.reset();
    caller_.reset();
    bus_.reset();
    store_.reset();
}

std::int64_t Instance::value(std::string_view select) {
    if (!store_) throw Error("it does not run any more: " + failure_);
    store::Statement statement(store_->db(), select);
    return store::number(statement);
}

bool drive(const std::vector<Instance*>& instances, const std::function<bool()>& met,
           std::chrono::milliseconds limit) {
    return eventually(
        [&] {
            for (Instance* instance : instances) instance->turn();
            return met();
        },
        limit);
}

}  // namespace saga::testing
