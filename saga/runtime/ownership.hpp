// One instance acts under a service's name. The entry in SAGA_OWNERS says which.
//
// Of a service that is split, each shard has an entry of its own, and the service's says into how
// many it is split: {"shards": 4, "key": ..., "epoch": ...}. It changes by --reshard alone, which
// moves every saga before: so two instances never act for one saga, whatever each was told at its
// start. A move counts the epoch on, so that a broker that went back behind it is told from it.
#pragma once

#include <optional>
#include <string>

#include "saga/bus/bus.hpp"
#include "saga/core/shard.hpp"
#include "saga/runtime/clock.hpp"
#include "saga/store/store.hpp"

namespace saga::runtime {

/// The file's own name, made with it: a copy has the same.
std::string database_id(store::Store& store, Random& random);

/// What an entry of SAGA_OWNERS says; whatever cannot be read is empty.
struct Owner {
    std::string instance, db_id, key, where;
    std::int64_t epoch = 0;
    unsigned shards = 1;  ///< of the service, in the entry under its plain name
};
Owner owner_in(const std::string& entry);

/// What stands under a service's plain name when it runs in shards; the epoch is that of the move
/// that made them.
std::string layout_entry(unsigned shards, const std::string& key, std::int64_t epoch);

class Ownership {
  public:
    struct Self {
        core::Instance name;   ///< of the service, with its shard
        std::string instance;  ///< this process's nonce
        std::string db_id;     ///< of its file
        std::string key;       ///< the fingerprint of its ids' key
        std::int64_t epoch = 0;
        std::string where;     ///< host and process, for the operator who reads the entry
        bool rebuild = false;  ///< another file may take over the name
    };
    Ownership(bus::Bus& bus, Self self) : bus_(bus), self_(std::move(self)) {}

    /// On each new connection, and every so often: is the name still ours?
    void assert_it(bus::Steady now);
    void disconnected() { asking_ = false; }
    /// This process was paused: somebody else may have taken over meanwhile. Not ours until a look
    /// that begins from here on says so.
    void doubt(bus::Steady now);

    /// It was ours when last looked at, no longer than a lease ago.
    bool holds(bus::Steady now) const;
    /// It was ours once since the process started.
    bool held_once() const { return since_.has_value(); }
    /// Why this process must stop, in one sentence.
    const std::optional<std::string>& refusal() const { return refusal_; }
    const std::string& trouble() const { return trouble_; }  ///< Why it is not known yet.
    bus::Steady next_look() const;
    std::int64_t epoch() const { return self_.epoch; }
    const Self& self() const { return self_; }
    /// After each claim, once: the broker's clock when it stored our entry, and our steady one then
    /// (the first tells the time to the second). The epoch is to be kept, or the next instance may
    /// claim with the same.
    std::optional<std::pair<bus::StoreTime, bus::Steady>> take_time();

    /// A clean stop: the next instance need not ask for us.
    void release();
    /// As release(); a name that was taken over from another database is that one's again.
    void give_back();

  private:
    void look_at_layout();
    void layout_found(const std::optional<bus::Entry>& entry);
    void write_layout(std::uint64_t revision);
    std::string other_layout(unsigned shards) const;
    void look_at_entry();
    void found(const std::optional<bus::Entry>& entry);
    bool nobody_after_us(const Owner& owner) const;
    void ask_the_owner(std::uint64_t revision, const Owner& owner);
    void claim(std::uint64_t revision, std::int64_t epoch);
    void failed(const bus::Problem& problem);
    std::string record(const std::string& instance, std::int64_t epoch) const;
    std::string taken_from_;  // the id of another database; empty: of none

    bus::Bus& bus_;
    Self self_;
    bool asking_ = false;
    std::uint64_t revision_ = 0;
    std::int64_t told_ = -1;  // with which epoch take_time() tells of us last
    std::optional<bus::Steady> since_, doubted_;
    bus::Steady asked_{}, next_{};
    std::optional<std::string> refusal_;
    std::string trouble_ = "no answer yet";
    std::optional<std::pair<bus::StoreTime, bus::Steady>> time_;
};

}  // namespace saga::runtime
