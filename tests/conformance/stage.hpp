// A broker and those who talk to it through the port: a real nats-server, or the model of one.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "saga/bus/bus.hpp"

namespace saga::conformance {

using bus::Steady;
using Duration = std::chrono::nanoseconds;

/// Writes down what it is told, in the order in which it is told.
struct Heard final : bus::Listener {
    void connected(const bus::Server&) override { ++connections; }
    void disconnected(std::string_view) override {
        ++losses;
        open_at_loss = open;
    }
    void denied(std::string_view) override {}
    void delivered(bus::StoredMessage message, std::uint64_t nth, std::uint64_t pending) override {
        messages.push_back(std::move(message));
        nths.push_back(nth);
        pendings.push_back(pending);
    }
    void heartbeat(std::uint64_t nth, std::uint64_t stream_seq) override {
        heartbeats.emplace_back(nth, stream_seq);
    }
    void pull_ended(std::uint64_t pull, const bus::PullEnd& end) override {
        ended.emplace_back(pull, end);
    }
    void consumer_lost(std::string_view) override { ++lost; }
    void acked(bus::Channel, std::uint64_t token, const bus::PubAck& ack) override {
        acks[token] = ack;
    }
    void refused(bus::Channel, const bus::Problem& problem) override {
        refusals.push_back(problem);
    }
    void requested(bus::Request request) override { requests.push_back(std::move(request)); }
    std::vector<std::uint64_t> seqs() const;

    int connections = 0, losses = 0, lost = 0;
    int open = 0, open_at_loss = 0;  ///< questions without an answer
    std::vector<bus::StoredMessage> messages;
    std::vector<std::uint64_t> nths, pendings;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> heartbeats;
    std::vector<std::pair<std::uint64_t, bus::PullEnd>> ended;
    std::map<std::uint64_t, bus::PubAck> acks;
    std::vector<bus::Problem> refusals;
    std::vector<bus::Request> requests;
};

class Stage;

/// One bus and what it has heard.
class Line {
  public:
    Line(Stage& stage, std::unique_ptr<bus::Bus> made) : bus(std::move(made)), stage_(stage) {}

    /// Asks, and waits for the answer.
    template <class T, class... Params, class... Args>
    bus::Result<T> ask(void (bus::Bus::*question)(Params...), const Args&... args);
    /// The answer, which must be one.
    template <class T, class... Params, class... Args>
    T must(void (bus::Bus::*question)(Params...), const Args&... args);
    /// The problem, which must be one.
    template <class T, class... Params, class... Args>
    bus::Problem fails(void (bus::Bus::*question)(Params...), const Args&... args);

    bus::StreamInfo info();
    void publish(std::uint64_t token, const std::string& subject, const std::string& id,
                 std::size_t size = 10);
    /// Stores events with these ids, and waits until they are.
    void store(std::uint64_t first, std::uint64_t last, std::size_t size = 10);
    /// Makes the consumer "reader".
    bus::ConsumerState read_from(std::uint64_t seq, std::vector<std::string> filters = {"saga.>"});
    void pull(std::uint64_t name, const bus::PullSpec& spec) { bus->pull("reader", name, spec); }

    Heard heard;
    std::unique_ptr<bus::Bus> bus;

  private:
    Stage& stage_;
};

/// Deeds of the broker's operator, and of fate. One thread.
class Stage {
  public:
    struct Options {
        Duration dedupe_window = std::chrono::minutes(2);
        Duration max_age = std::chrono::hours(1);
    };
    virtual ~Stage() = default;

    /// It takes lists of filters, and answers for what is not there.
    virtual bool since_2_10() const = 0;
    virtual void kill() = 0;  ///< With all that it had in memory only.
    virtual void start() = 0;
    virtual void make_streams() = 0;
    // While it is down: the store as it was saved; none at all.
    virtual void save() = 0;
    virtual void restore() = 0;
    virtual void wipe() = 0;
    // Of SAGA.
    virtual void remove(std::uint64_t seq) = 0;
    virtual void purge_below(std::uint64_t seq) = 0;
    virtual void delete_stream() = 0;
    virtual void set_full(bool full) = 0;  ///< It takes no message more.

    /// A further bus, connected. It lives as long as the stage.
    Line& connect();
    /// Lets time pass until `met`; false: it was not, within `limit`.
    virtual bool until(const std::function<bool()>& met,
                       Duration limit = std::chrono::seconds(20)) = 0;
    /// Until all that was asked and published before this was heard by the broker.
    void settle(Line& line) { line.info(); }

  protected:
    virtual std::unique_ptr<bus::Bus> make_bus() = 0;
    void poll(Steady now);
    std::vector<std::unique_ptr<Line>> lines_;
};

/// Runs a script on the model, as a new server and as one before 2.10, and on each real server.
void on_each_stage(const std::function<void(Stage&)>& script, Stage::Options options = {});

template <class T>
bool ok(const bus::Result<T>& result) {
    return std::holds_alternative<T>(result);
}

template <class T, class... Params, class... Args>
bus::Result<T> Line::ask(void (bus::Bus::*question)(Params...), const Args&... args) {
    std::optional<bus::Result<T>> answer;
    ++heard.open;
    bus::Done<T> done = [&](bus::Result<T> result) {
        --heard.open;
        answer = std::move(result);
    };
    ((*bus).*question)(args..., std::move(done));
    if (!stage_.until([&] { return answer.has_value(); }))
        throw std::runtime_error("a question had no answer");
    return std::move(*answer);
}

template <class T, class... Params, class... Args>
T Line::must(void (bus::Bus::*question)(Params...), const Args&... args) {
    auto result = ask<T>(question, args...);
    if (const auto* problem = std::get_if<bus::Problem>(&result))
        throw std::runtime_error("refused: " + problem->text);
    return std::get<T>(std::move(result));
}

template <class T, class... Params, class... Args>
bus::Problem Line::fails(void (bus::Bus::*question)(Params...), const Args&... args) {
    auto result = ask<T>(question, args...);
    if (ok(result)) throw std::runtime_error("it was answered, and should have been refused");
    return std::get<bus::Problem>(std::move(result));
}

}  // namespace saga::conformance
