#include "tests/integration/instance.hpp"

#include <fmt/format.h>

namespace saga::testing {

Instance::Instance(Service service, std::string folder, std::string url, Options options)
    : service_(std::move(service)), options_(std::move(options)) {
    const Contract& contract = service_.contract();
    const core::Instance self{contract.service, options_.worker.shard};
    const std::string base = folder + "/" + self.name();
    store_ =
        std::make_unique<store::Store>(store::Database::Options{base + ".db", {}}, contract.tables);
    const std::string key_path = folder + "/" + contract.service + ".key";
    key_ = runtime::load_key(key_path, true);
    runtime::bind_key(*store_, *key_, key_path);
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
        runtime::Node::Options{.instance = nonce,
                               .where = "a test",
                               .contract = options_.contract,
                               .key_path = key_path,
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
