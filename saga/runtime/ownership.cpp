#include "saga/runtime/ownership.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "saga/core/limits.hpp"
#include "saga/core/subject.hpp"

namespace saga::runtime {
namespace {

constexpr int kWrongRevision = 10071;  // JetStream: "wrong last sequence"
const std::string kBucket(core::kOwners);

std::string number_id(Random& random) {
    EventId id;
    for (std::uint8_t& byte : id.bytes) byte = static_cast<std::uint8_t>(random.next());
    id.bytes[6] = static_cast<std::uint8_t>(0x40 | (id.bytes[6] & 0x0F));  // UUID version 4
    id.bytes[8] = static_cast<std::uint8_t>(0x80 | (id.bytes[8] & 0x3F));
    return id.text();
}

std::string another_key(const std::string& name, const std::string& where) {
    return fmt::format(
        "the ids of {} were made with another key so far{}: bring its key file back from the "
        "backup; with this one every event would get another id",
        name, where.empty() ? "" : fmt::format(" (last by {})", where));
}

}  // namespace

Owner owner_in(const std::string& entry) {
    const auto json = nlohmann::json::parse(entry, nullptr, false);
    if (!json.is_object()) return {};
    const auto text = [&](const char* key) {
        const auto found = json.find(key);
        return found != json.end() && found->is_string() ? found->get<std::string>() : "";
    };
    const auto number = [&](const char* key, std::int64_t otherwise) {
        const auto found = json.find(key);
        return found != json.end() && found->is_number_integer() ? found->get<std::int64_t>()
                                                                 : otherwise;
    };
    return {.instance = text("instance"),
            .db_id = text("database"),
            .key = text("key"),
            .where = text("where"),
            .epoch = number("epoch", 0),
            .shards = static_cast<unsigned>(number("shards", 1))};
}

std::string database_id(store::Store& store, Random& random) {
    if (const auto id = store.meta.text(store::Meta::kDbId)) return *id;
    std::string id = number_id(random);
    store.db().begin();
    store.meta.set(store::Meta::kDbId, id);
    store.db().commit();
    return id;
}

std::string layout_entry(unsigned shards, const std::string& key, std::int64_t epoch) {
    return nlohmann::ordered_json{{"shards", shards}, {"key", key}, {"epoch", epoch}}.dump();
}

void Ownership::assert_it(bus::Steady now) {
    if (asking_ || refusal_) return;
    asking_ = true;
    asked_ = now;
    next_ = now + core::kLease / 3;
    self_.name.shard.whole() ? look_at_entry() : look_at_layout();
}

void Ownership::look_at_layout() {
    bus_.get(kBucket, self_.name.service,
             [this](const bus::Result<std::optional<bus::Entry>>& result) {
                 if (const auto* problem = std::get_if<bus::Problem>(&result))
                     return failed(*problem);
                 layout_found(std::get<std::optional<bus::Entry>>(result));
             });
}

void Ownership::layout_found(const std::optional<bus::Entry>& entry) {
    const unsigned ours = self_.name.shard.of;
    if (!entry) return write_layout(0);  // the first of all shards that ever starts
    const Owner owner = owner_in(entry->value);
    // Older than our database: the broker has gone back behind the move that made it.
    if (owner.shards != ours && owner.epoch < self_.epoch) return write_layout(entry->revision);
    if (owner.shards != ours)
        refusal_ = other_layout(owner.shards);
    else if (!owner.key.empty() && owner.key != self_.key)
        refusal_ = another_key(self_.name.service, owner.where);
    else
        look_at_entry();
}

void Ownership::write_layout(std::uint64_t revision) {
    bus_.put(kBucket, self_.name.service, layout_entry(self_.name.shard.of, self_.key, self_.epoch),
             revision, [this](const bus::Result<std::uint64_t>& result) {
                 if (const auto* problem = std::get_if<bus::Problem>(&result))
                     return failed(*problem);
                 look_at_entry();
             });
}

std::string Ownership::other_layout(unsigned shards) const {
    const auto& [service, shard] = self_.name;
    return fmt::format(
        "{0} runs {1} and this is {2}: start it as that, or stop all of {0} and move its sagas "
        "with `{0} --reshard {3}`",
        service, shards == 1 ? "unsplit" : fmt::format("in {} shards", shards),
        shard.whole() ? "the whole" : "shard " + text_of(shard), shard.of);
}

void Ownership::look_at_entry() {
    bus_.get(kBucket, self_.name.name(),
             [this](const bus::Result<std::optional<bus::Entry>>& result) {
                 if (const auto* problem = std::get_if<bus::Problem>(&result))
                     return failed(*problem);
                 found(std::get<std::optional<bus::Entry>>(result));
             });
}

bool Ownership::holds(bus::Steady now) const {
    return since_ && !doubted_ && !refusal_ && now - *since_ < core::kLease;
}

void Ownership::doubt(bus::Steady now) {
    if (!since_) return;
    doubted_ = next_ = now;
    trouble_ = "this process was paused, and looks again";
}

bus::Steady Ownership::next_look() const {
    return asking_ ? bus::Steady::max() : next_;
}

void Ownership::found(const std::optional<bus::Entry>& entry) {
    // Without an entry, too: the bucket may be new, and the one whom it named alive.
    if (!entry) return since_ ? claim(0, self_.epoch + 1) : ask_the_owner(0, {});
    const Owner owner = owner_in(entry->value);
    if (owner.shards != 1 && owner.epoch < self_.epoch)
        return claim(entry->revision, self_.epoch + 1);  // likewise
    if (owner.shards != 1) {
        refusal_ = other_layout(owner.shards);
        return;
    }
    if (owner.instance == self_.instance) {
        asking_ = false;
        if (doubted_ && asked_ < *doubted_) {  // an answer from before the pause
            next_ = asked_;
            return;
        }
        doubted_.reset();
        revision_ = entry->revision;
        since_ = asked_;
        trouble_.clear();
        self_.epoch = std::max(self_.epoch, owner.epoch);  // a claim whose answer was lost
        if (std::exchange(told_, self_.epoch) != self_.epoch)
            time_.emplace(entry->stored_at, asked_);
        return;
    }
    if (since_ && nobody_after_us(owner)) return claim(entry->revision, self_.epoch + 1);
    if (since_) {
        refusal_ = fmt::format("another instance of {} has taken over ({}): this one stops",
                               self_.name.name(), owner.where);
        return;
    }
    if (!owner.db_id.empty() && owner.db_id != self_.db_id && !self_.rebuild) {
        refusal_ = fmt::format(
            "{} was run with another database so far (last by {}): start with that file, restore "
            "it from a backup, or say --rebuild to build this one from the stream",
            self_.name.name(), owner.where);
        return;
    }
    if (!owner.key.empty() && owner.key != self_.key) {
        refusal_ = another_key(self_.name.service, owner.where);
        return;
    }
    if (owner.db_id != self_.db_id) taken_from_ = owner.db_id;
    ask_the_owner(entry->revision, owner);
}

/// An older entry: the broker has gone back. A free one of our own epoch: what an instance before
/// us gave back was on its way until now, and found a revision of a bucket that was made anew.
bool Ownership::nobody_after_us(const Owner& owner) const {
    const bool free = owner.instance.empty() && owner.db_id == self_.db_id;
    return owner.epoch < self_.epoch || (free && owner.epoch == self_.epoch);
}

/// The registered owner may be alive: an answer refuses this start, silence is taken over.
void Ownership::ask_the_owner(std::uint64_t revision, const Owner& owner) {
    bus_.ask(core::request_subject(self_.name.name(), "owner"), {}, owner.instance,
             core::kOwnerAnswers, [this, owner, revision](const bus::Result<std::string>& result) {
                 const auto* problem = std::get_if<bus::Problem>(&result);
                 if (problem == nullptr) {
                     refusal_ = fmt::format(
                         "{} runs already, in {}: stop it first (a copy of a database must not act "
                         "beside its original)",
                         self_.name.name(), owner_in(std::get<std::string>(result)).where);
                 } else if (!bus::is_silence(*problem)) {
                     failed(*problem);
                 } else {
                     claim(revision, std::max(owner.epoch, self_.epoch) + 1);
                 }
             });
}

void Ownership::claim(std::uint64_t revision, std::int64_t epoch) {
    bus_.put(kBucket, self_.name.name(), record(self_.instance, epoch), revision,
             [this, epoch](const bus::Result<std::uint64_t>& result) {
                 if (const auto* problem = std::get_if<bus::Problem>(&result)) {
                     // Somebody else was faster: look who.
                     return failed(*problem);
                 }
                 revision_ = std::get<std::uint64_t>(result);
                 self_.epoch = epoch;
                 asking_ = false;
                 next_ = asked_;  // reads it back, which also tells the broker's time
             });
}

void Ownership::failed(const bus::Problem& problem) {
    const bool silent =
        problem.trouble == bus::Trouble::timeout || problem.trouble == bus::Trouble::no_responders;
    asking_ = false;
    if (silent)
        trouble_ = fmt::format(
            "the bucket {} does not answer: the nats-server needs JetStream (-js), and its streams "
            "are made with `saga bootstrap`",
            kBucket);
    else if (problem.code == kWrongRevision)
        trouble_ = "another instance claims the name just now";
    else
        trouble_ = problem.text;
    next_ = asked_ + core::kPublishPause;
}

std::optional<std::pair<bus::StoreTime, bus::Steady>> Ownership::take_time() {
    return std::exchange(time_, std::nullopt);
}

void Ownership::release() {
    if (!since_ || refusal_) return;
    bus_.put(kBucket, self_.name.name(), record("", self_.epoch), revision_, [](const auto&) {});
}

void Ownership::give_back() {
    if (!taken_from_.empty()) self_.db_id = taken_from_;
    release();
}

std::string Ownership::record(const std::string& instance, std::int64_t epoch) const {
    return nlohmann::ordered_json{{"instance", instance}, {"database", self_.db_id},
                                  {"key", self_.key},     {"epoch", epoch},
                                  {"where", self_.where}, {"lease_seconds", core::kLease.count()}}
        .dump();
}

}  // namespace saga::runtime
