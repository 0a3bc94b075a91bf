#include "tests/conformance/stage.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "saga/bus/nats_bus.hpp"
#include "saga/bus/nats_client.hpp"
#include "saga/bus/topology.hpp"
#include "saga/core/subject.hpp"
#include "tests/integration/broker.hpp"
#include "tests/sim/sim_bus.hpp"

namespace saga::conformance {
namespace {

using namespace std::chrono_literals;

class RealStage final : public Stage {
  public:
    RealStage(const std::string& binary, Options options) : options_(options), broker_(binary) {
        make_streams();
        const auto consumer = nlohmann::json::parse(api(
            fmt::format("CONSUMER.CREATE.{}.looker", core::kStream),
            fmt::format(R"({{"stream_name":"{}","config":{{"name":"looker","ack_policy":"none",)"
                        R"("filter_subjects":["saga.a","saga.b"]}}}})",
                        core::kStream)));
        since_2_10_ = consumer["config"].contains("filter_subjects");
        api(fmt::format("CONSUMER.DELETE.{}.looker", core::kStream), "");
    }

    bool since_2_10() const override { return since_2_10_; }
    void kill() override { broker_.kill(); }
    void start() override { broker_.start(); }
    void save() override { broker_.save(); }
    void restore() override { broker_.restore(); }
    void wipe() override { broker_.wipe(); }
    void make_streams() override {
        for (const bus::Asset& asset : bus::assets(1, 0)) {
            const bool events = asset.stream == core::kStream;
            must("STREAM.CREATE." + asset.stream, events ? config(-1) : asset.config);
        }
    }
    void remove(std::uint64_t seq) override {
        must(fmt::format("STREAM.MSG.DELETE.{}", core::kStream),
             fmt::format(R"({{"seq":{}}})", seq));
    }
    void purge_below(std::uint64_t seq) override {
        must(fmt::format("STREAM.PURGE.{}", core::kStream), fmt::format(R"({{"seq":{}}})", seq));
    }
    void delete_stream() override { must(fmt::format("STREAM.DELETE.{}", core::kStream), ""); }
    void set_full(bool full) override {
        const auto info = must(fmt::format("STREAM.INFO.{}", core::kStream), "");
        const std::int64_t most = full ? info["state"]["messages"].get<std::int64_t>() : -1;
        must(fmt::format("STREAM.UPDATE.{}", core::kStream), config(most));
    }

    bool until(const std::function<bool()>& met, Duration limit) override {
        return testing::eventually(
            [&] {
                poll(std::chrono::steady_clock::now());
                return met();
            },
            std::chrono::ceil<std::chrono::milliseconds>(limit));
    }

  private:
    std::string config(std::int64_t max_messages) const {
        auto json = nlohmann::json::parse(bus::assets(1, 0).front().config);
        json["deny_delete"] = json["deny_purge"] = false;
        json["duplicate_window"] = options_.dedupe_window.count();
        json["max_age"] = options_.max_age.count();
        json["max_msgs"] = max_messages;
        return json.dump();
    }
    bus::Address address() const {
        bus::Address address;
        address.url = broker_.url();
        return address;
    }
    /// JetStream may need a moment after the port opens.
    std::string api(const std::string& subject, const std::string& body,
                    std::chrono::milliseconds limit = 20s) {
        std::string answer;
        const bool answered = testing::eventually(
            [&] {
                try {
                    answer = bus::NatsClient(address(), "operator")
                                 .request_text("$JS.API." + subject, body, 5s);
                } catch (const bus::NoAnswer&) {
                    return false;
                }
                return true;
            },
            limit);
        if (!answered) throw std::runtime_error("no answer to " + subject);
        return answer;
    }
    nlohmann::json must(const std::string& subject, const std::string& body) {
        auto answer = nlohmann::json::parse(api(subject, body));
        if (answer.contains("error")) throw std::runtime_error(subject + ": " + answer.dump());
        return answer;
    }
    std::unique_ptr<bus::Bus> make_bus() override {
        return std::make_unique<bus::NatsBus>(address(), "reader",
                                              fmt::format("{:016x}", ++nonces_));
    }

    Options options_;
    testing::Broker broker_;
    bool since_2_10_ = false;
    std::uint64_t nonces_ = 0;
};

class ModelStage final : public Stage {
  public:
    ModelStage(bool since_2_10, Options options)
        : since_2_10_(since_2_10),
          broker_(schedule_, {.filters = since_2_10,
                              .dedupe_window = options.dedupe_window,
                              .max_age = options.max_age}) {
        broker_.make_assets();
    }
    ~ModelStage() override { lines_.clear(); }

    bool since_2_10() const override { return since_2_10_; }
    void kill() override { broker_.kill(); }
    void start() override { broker_.start(); }
    void make_streams() override { broker_.make_assets(); }
    void save() override { saved_ = broker_.save(); }
    void restore() override { broker_.restore(saved_); }
    void wipe() override { broker_.wipe(); }
    void remove(std::uint64_t seq) override { broker_.remove(seq); }
    void purge_below(std::uint64_t seq) override { broker_.purge_below(seq); }
    void delete_stream() override { broker_.delete_stream(); }
    void set_full(bool full) override { broker_.set_full(full); }

    bool until(const std::function<bool()>& met, Duration limit) override {
        const Steady deadline = schedule_.now() + limit;
        while (true) {
            poll(schedule_.now());
            if (met()) return true;
            if (schedule_.now() >= deadline) return false;
            Steady next = std::min(deadline, schedule_.now() + 10ms);
            for (const sim::SimBus* bus : buses_) next = std::min(next, bus->next_due());
            schedule_.step(next);
        }
    }

  private:
    std::unique_ptr<bus::Bus> make_bus() override {
        auto made = std::make_unique<sim::SimBus>(schedule_, broker_, net_, life_, [] {});
        buses_.push_back(made.get());
        return made;
    }

    bool since_2_10_;
    sim::Schedule schedule_;
    sim::Broker broker_;
    sim::Net net_{sim::Chance(1)};
    sim::Life life_;
    std::shared_ptr<const sim::Broker::Image> saved_;
    std::vector<const sim::SimBus*> buses_;
};

}  // namespace

std::vector<std::uint64_t> Heard::seqs() const {
    std::vector<std::uint64_t> all;
    for (const bus::StoredMessage& message : messages) all.push_back(message.seq);
    return all;
}

bus::StreamInfo Line::info() {
    return must<bus::StreamInfo>(&bus::Bus::stream_info);
}

void Line::publish(std::uint64_t token, const std::string& subject, const std::string& id,
                   std::size_t size) {
    const std::string body(size, 'x');
    bus->publish(bus::Channel::events, token, subject, {{"Nats-Msg-Id", id}},
                 std::as_bytes(std::span(body)));
}

void Line::store(std::uint64_t first, std::uint64_t last, std::size_t size) {
    for (std::uint64_t nth = first; nth <= last; ++nth)
        publish(nth, nth % 2 == 0 ? "saga.even.done.E.p00" : "saga.odd.done.E.p00",
                fmt::format("id-{}", nth), size);
    if (!stage_.until([&] { return heard.acks.contains(last); }))
        throw std::runtime_error("an event was not acknowledged");
}

bus::ConsumerState Line::read_from(std::uint64_t seq, std::vector<std::string> filters) {
    return must<bus::ConsumerState>(
        &bus::Bus::create_consumer,
        bus::ConsumerSpec{.name = "reader", .filters = std::move(filters), .start_seq = seq});
}

Line& Stage::connect() {
    Line& line = *lines_.emplace_back(std::make_unique<Line>(*this, make_bus()));
    if (!until([&] { return line.heard.connections == 1; }))
        throw std::runtime_error("no connection");
    return line;
}

void Stage::poll(Steady now) {
    for (const auto& line : lines_) {
        line->bus->poll(line->heard, now);
        line->bus->flush();
    }
}

void on_each_stage(const std::function<void(Stage&)>& script, Stage::Options options) {
    for (const bool since_2_10 : {true, false}) {
        const std::string stage = since_2_10 ? "the model" : "the model as before 2.10";
        CAPTURE(stage);
        ModelStage model(since_2_10, options);
        script(model);
    }
    for (const std::string& stage : testing::servers()) {
        CAPTURE(stage);
        RealStage real(stage, options);
        script(real);
    }
}

}  // namespace saga::conformance
