#include "saga/runtime/reshard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "saga/bus/nats_bus.hpp"
#include "saga/bus/quiet_listener.hpp"
#include "saga/core/shard.hpp"
#include "saga/core/subject.hpp"
#include "saga/runtime/clock.hpp"
#include "saga/runtime/key_file.hpp"
#include "saga/runtime/ownership.hpp"
#include "saga/store/durable.hpp"
#include "saga/store/reshard.hpp"

namespace saga::runtime {
namespace {

namespace fs = std::filesystem;

constexpr auto kMoving = ".moving";  // behind a new database's name, until it is the service's
/// An answer that comes later finds nobody.
constexpr std::chrono::seconds kPatience{10};
static_assert(kPatience > core::kApiTimeout && kPatience > core::kOwnerAnswers);
const std::string kBucket(core::kOwners);

/// Hears only that there is a connection.
class Ears final : public bus::QuietListener {
  public:
    bool up = false;
    void connected(const bus::Server&) override { up = true; }
    void disconnected(std::string_view) override { up = false; }
    void denied(std::string_view what) override {
        throw Error(fmt::format("the broker does not permit that: {}", what));
    }
};

core::Shard shard_in(const fs::path& path) {
    return core::parse_instance(path.stem().string()).shard;
}

/// Of all its shards, in whatever number.
std::vector<std::string> databases_of(const std::string& service, const std::string& folder) {
    std::vector<std::string> found;
    for (const fs::directory_entry& each : fs::directory_iterator(folder)) {
        const fs::path& path = each.path();
        if (path.extension() == ".db" &&
            core::parse_instance(path.stem().string()).service == service)
            found.push_back(path.string());
    }
    std::sort(found.begin(), found.end());
    return found;
}

/// What stands beside a database that nobody has open; its lock may be somebody's.
void remove_rest(const std::string& path) {
    for (const char* part : {"-wal", "-shm", ".reserve"}) {
        std::error_code none;
        fs::remove(path + part, none);
    }
}

/// A new database that nobody knows of, or what stood beside it under that name.
void remove_made(const std::string& path) {
    std::error_code none;
    fs::remove(path, none);
    fs::remove(path + ".lock", none);
    remove_rest(path);
}

/// The bucket of owners, asked one thing after the other.
class Broker {
  public:
    Broker(const bus::Address& address, const std::string& service, Random& random)
        : bus_(address, service, fmt::format("{:016x}{:016x}", random.next(), random.next())) {
        wait_for([&] { return ears_.up; }, address.url);
    }

    std::optional<bus::Entry> get(const std::string& key) {
        return await<std::optional<bus::Entry>>(
            key, [&](auto done) { bus_.get(kBucket, key, std::move(done)); });
    }
    void put(const std::string& key, const std::string& value,
             std::optional<std::uint64_t> revision) {
        await<std::uint64_t>(
            key, [&](auto done) { bus_.put(kBucket, key, value, revision, std::move(done)); });
    }
    /// Whether a process acts under the name.
    bool answers(const std::string& instance) {
        std::optional<bus::Result<std::string>> result;
        bus_.ask(core::request_subject(instance, "owner"), {}, "", core::kOwnerAnswers,
                 [&](bus::Result<std::string> answer) { result = std::move(answer); });
        wait_for([&] { return result.has_value(); }, instance);
        const auto* problem = std::get_if<bus::Problem>(&*result);
        if (problem != nullptr && !bus::is_silence(*problem))
            throw Error(fmt::format("nobody knows whether {} runs: {}", instance, problem->text));
        return problem == nullptr;
    }

  private:
    template <class T>
    T await(const std::string& key, const std::function<void(bus::Done<T>)>& ask) {
        std::optional<bus::Result<T>> result;
        ask([&](bus::Result<T> answer) { result = std::move(answer); });
        wait_for([&] { return result.has_value(); }, key);
        if (const auto* problem = std::get_if<bus::Problem>(&*result))
            throw Error(fmt::format("{} in the bucket {}: {}", key, kBucket, problem->text));
        return std::get<T>(*result);
    }
    void wait_for(const std::function<bool()>& done, const std::string& what) {
        const bus::Steady until = clock_.steady() + kPatience;
        while (!done()) {
            const bus::Steady now = clock_.steady();
            if (now >= until)
                throw Error(fmt::format("the broker does not answer ({}): {}", what,
                                        bus_.trouble().empty() ? "it is silent" : bus_.trouble()));
            bus_.poll(ears_, now);
            bus_.flush();
            bus_.wait(std::min(until, now + std::chrono::milliseconds(20)));
        }
    }

    SystemClock clock_;
    Ears ears_;
    bus::NatsBus bus_;
};

class Mover {
  public:
    Mover(const Contract& contract, const Reshard& wanted,
          const std::function<void(const std::string&)>& say)
        : contract_(contract),
          wanted_(wanted),
          say_(say),
          broker_(wanted.address, contract.service, random_),
          key_file_(key_path(wanted.data, contract.service)) {}

    void run() {
        const store::FileLock alone(fmt::format("{}/{}.reshard", wanted_.data, contract_.service));
        const auto entry = broker_.get(contract_.service);
        if (!entry) throw Error(never_run());
        const Owner owner = owner_in(entry->value);
        if (owner.shards == wanted_.to) return finish();
        epoch_ = owner.epoch;
        find_sources(owner.shards);
        const core::IdKey key = load_key(key_file_, false);
        look_through(key);
        {
            std::vector<std::unique_ptr<store::FileLock>> locks;
            for (const std::string& path : sources_)
                locks.push_back(std::make_unique<store::FileLock>(path));
            ++epoch_;  // of the move
            make_all(key);
            decide(key, entry->revision);
        }
        put_in_place();
        say_(fmt::format("{} runs {} now: {} sagas, {} events were moved", contract_.service,
                         layout(), moved_["sagas"], moved_["outbox"]));
    }

  private:
    std::string layout() const {
        return wanted_.to == 1 ? "as a whole" : fmt::format("in {} shards", wanted_.to);
    }
    std::string never_run() const {
        if (databases_of(contract_.service, wanted_.data).empty())
            return fmt::format(
                "no instance of {} has ever run on this broker: it can start with "
                "any number of shards",
                contract_.service);
        return fmt::format(
            "the broker knows nothing of {}, whose databases are here: start it "
            "once as it was, and stop it",
            contract_.service);
    }

    /// The number is written: what is left of the move.
    void finish() {
        for (const core::Instance& target : instances(wanted_.to)) require_decided(target);
        if (!put_in_place())
            throw Error(fmt::format("{} runs {} already", contract_.service, layout()));
        say_(fmt::format("{} runs {} now: what a move had left to do is done", contract_.service,
                         layout()));
    }

    std::vector<core::Instance> instances(unsigned shards) const {
        return core::instances_of(contract_.service, shards);
    }
    std::string file_of(const core::Instance& instance) const {
        return fmt::format("{}/{}.db", wanted_.data, instance.name());
    }

    /// A new database that waits for its name is the one that the broker was told of.
    void require_decided(const core::Instance& target) {
        const std::string path = file_of(target) + kMoving;
        if (!fs::exists(path)) return;
        const auto entry = broker_.get(target.name());
        const store::Store made({.path = path, .vfs = {}}, contract_.tables);
        if (!entry || made.meta.text(store::Meta::kDbId) != owner_in(entry->value).db_id)
            throw Error(fmt::format("{} is of a move that came to nothing: remove it", path));
    }

    /// All databases of the service, none of which is in use. An older one of them may have been
    /// brought back: the move is younger than whatever acted under their names.
    void find_sources(unsigned from) {
        for (const core::Instance& instance : instances(from)) {
            const std::string path = file_of(instance);
            if (!fs::exists(path) && fs::exists(path + kMoving))
                throw Error(fmt::format("a move is half done: finish it with `{} --reshard {}`",
                                        contract_.service, from));
            if (!fs::exists(path))
                throw Error(fmt::format("{} is not here: bring {} into {}", path,
                                        from == 1
                                            ? "it"
                                            : fmt::format("the databases of all {} shards of {}",
                                                          from, contract_.service),
                                        wanted_.data));
            if (const auto entry = broker_.get(instance.name()))
                epoch_ = std::max(epoch_, owner_in(entry->value).epoch);
            const store::FileLock lock(path);
            if (broker_.answers(instance.name()))
                throw Error(fmt::format("{} is running: stop it first", instance.name()));
            sources_.push_back(path);
        }
    }

    /// Opened as its service would: they come to this build's tables, and are sound.
    void look_through(const core::IdKey& key) {
        for (const std::string& path : sources_) {
            store::Store source({.path = path, .vfs = {}}, contract_.tables);
            store::require_by_saga(source.db(), contract_.by_saga);
            bind_key(source, key, key_file_);
            epoch_ = std::max(epoch_, source.meta.number(store::Meta::kEpoch));
            for (const auto& [table, rows] : store::count_rows(source.db(), contract_.by_saga))
                before_[table] += rows;
            source.db().checkpoint();  // what is put aside later is whole without its log
        }
    }

    /// Or none: whatever was made for a move that is not decided goes again.
    void make_all(const core::IdKey& key) {
        const std::vector<core::Instance> targets = instances(wanted_.to);
        try {
            for (const core::Instance& target : targets) make(target, key);
            require_all();
        } catch (...) {
            for (const core::Instance& target : targets) remove_made(file_of(target) + kMoving);
            throw;
        }
    }

    void make(const core::Instance& target, const core::IdKey& key) {
        const std::string path = file_of(target) + kMoving;
        remove_made(path);
        store::Store made({.path = path, .vfs = {}}, contract_.tables);
        const store::RowCounts taken =
            store::take_sagas(made, target.shard, sources_, contract_.by_saga);
        bind_key(made, key, key_file_);
        ids_[target.name()] = database_id(made, random_);
        made.db().begin();
        made.meta.set(store::Meta::kEpoch, epoch_);
        made.db().commit();
        made.db().checkpoint();
        for (const auto& [table, rows] : taken) moved_[table] += rows;
        say_(fmt::format("{}: {} sagas", target.name(), taken.at("sagas")));
    }

    void require_all() {
        for (const auto& [table, rows] : before_)
            if (moved_[table] != rows)
                throw Error(fmt::format("of {} rows of {}, {} belong to no saga: nothing was moved",
                                        rows, table, rows - moved_[table]));
    }

    /// Each new database may be started by whoever is the first, and no other under its name.
    void decide(const core::IdKey& key, std::uint64_t revision) {
        const std::string fingerprint = key.fingerprint().text();
        const auto entry = [&](const core::Instance& target) {
            return nlohmann::ordered_json{{"instance", ""},
                                          {"database", ids_.at(target.name())},
                                          {"key", fingerprint},
                                          {"epoch", epoch_},
                                          {"where", "--reshard"}}
                .dump();
        };
        if (wanted_.to == 1)
            return broker_.put(contract_.service, entry({contract_.service, {}}), revision);
        for (const core::Instance& target : instances(wanted_.to))
            broker_.put(target.name(), entry(target), std::nullopt);
        broker_.put(contract_.service, layout_entry(wanted_.to, fingerprint, epoch_), revision);
    }

    /// The new databases get their names, all others of the service another one. Whether anything
    /// was left to do.
    bool put_in_place() {
        const std::vector<core::Instance> targets = instances(wanted_.to);
        for (const core::Instance& target : targets)
            if (const std::string path = file_of(target);
                !fs::exists(path) && !fs::exists(path + kMoving))
                throw Error(fmt::format("{} runs {}, and {} is not here: nothing was done",
                                        contract_.service, layout(), path));
        bool any = false;
        for (const core::Instance& target : targets) {
            const std::string path = file_of(target);
            if (!fs::exists(path + kMoving)) continue;
            if (fs::exists(path)) put_aside(path);
            remove_rest(path);
            store::rename_durably(path + kMoving, path);
            remove_made(path + kMoving);
            any = true;
        }
        for (const std::string& path : databases_of(contract_.service, wanted_.data)) {
            if (shard_in(path).of == wanted_.to) continue;
            put_aside(path);
            any = true;
        }
        return any;
    }

    static void put_aside(const std::string& path) {
        const store::FileLock lock(path);
        std::string aside = path + ".moved";
        for (int nth = 2; fs::exists(aside); ++nth) aside = fmt::format("{}.moved-{}", path, nth);
        store::rename_durably(path, aside);
        remove_rest(path);
    }

    const Contract& contract_;
    const Reshard& wanted_;
    const std::function<void(const std::string&)>& say_;
    SystemRandom random_;
    Broker broker_;
    const std::string key_file_;
    std::vector<std::string> sources_;
    store::RowCounts before_, moved_;
    std::int64_t epoch_ = 0;
    std::map<std::string, std::string> ids_;  // of the new databases, by instance
};

}  // namespace

void require_alone(const core::Instance& self, const std::string& folder) {
    for (const std::string& path : databases_of(self.service, folder))
        if (const core::Shard other = shard_in(path); other.of != self.shard.of)
            throw Error(fmt::format(
                "{} has {}, and this is {}: start it as that, or move its sagas with `{} "
                "--reshard {}`",
                folder, fs::path(path).filename().string(), self.name(), self.service,
                self.shard.of));
}

void reshard(const Contract& contract, const Reshard& wanted,
             const std::function<void(const std::string&)>& say) {
    Mover(contract, wanted, say).run();
}

}  // namespace saga::runtime
