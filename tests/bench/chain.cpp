// One service of a chain: each hands on to the next what it was handed, and the last ends the saga.
// So many services, and so large an event, as are to be measured; and so much work for each:
//
//   SAGA_CHAIN=8 chain link3 FLAG...    the fourth of eight, with the flags of any service
//   SAGA_WORK=500                       microseconds that a handler computes before it writes
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <saga/run.hpp>
#include <saga/service.hpp>
#include <string_view>
#include <utility>

#include "chain_events.hpp"

namespace {

using namespace chain;

constexpr auto kHanded = "CREATE TABLE handed (ticket TEXT PRIMARY KEY) STRICT, WITHOUT ROWID";

std::size_t number(std::string_view text) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::size_t setting(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? 0 : number(value);
}

/// How long this thread has had a processor.
std::chrono::nanoseconds ran() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

void compute() {
    static const std::chrono::microseconds kWork(setting("SAGA_WORK"));
    if (kWork.count() == 0) return;
    for (const auto end = ran() + kWork; ran() < end;) {
    }
}

saga::Reply<Passed0> start(const saga::View&, const Start& asked) {
    return Passed0{.ticket = asked.ticket, .load = asked.load};
}

template <class In, class Out>
Out pass(saga::Tx& tx, const In& in) {
    compute();
    tx.exec("INSERT INTO handed VALUES (?1)", in.ticket);
    return Out{.ticket = in.ticket, .load = in.load};
}

saga::Service first() {
    saga::Service service{"link0"};
    service.command("start", &Start::ticket, start);
    return service;
}

template <class In, class Out>
saga::Service next(const std::string& name, bool last) {
    saga::Service service{name, kHanded};
    service.by_saga("handed", "ticket");
    auto step = service.step("pass", pass<In, Out>);
    if (last)
        step.ends_saga();
    else
        step.keeps();
    return service;
}

template <class... Events>
struct Chain {
    using All = std::tuple<Events...>;
    using Make = saga::Service (*)(const std::string&, bool);
    template <std::size_t... Nth>
    static std::array<Make, sizeof...(Nth)> makers(std::index_sequence<Nth...>) {
        return {&next<std::tuple_element_t<Nth, All>, std::tuple_element_t<Nth + 1, All>>...};
    }
    static saga::Service at(std::size_t nth, bool last) {
        static const auto kMakers = makers(std::make_index_sequence<sizeof...(Events) - 1>{});
        return nth == 0 ? first() : kMakers.at(nth - 1)(fmt::format("link{}", nth), last);
    }
};
using Links = Chain<Passed0, Passed1, Passed2, Passed3, Passed4, Passed5, Passed6, Passed7, Passed8,
                    Passed9, Passed10, Passed11, Passed12, Passed13, Passed14, Passed15>;

}  // namespace

int main(int argc, char** argv) {
    const std::size_t links = setting("SAGA_CHAIN");
    const std::string_view name = argc > 1 ? argv[1] : "";
    constexpr std::string_view kLink = "link";
    if (links == 0 || !name.starts_with(kLink)) {
        fmt::print(stderr, "chain: say SAGA_CHAIN=8 chain link3 ...\n");
        return 2;
    }
    const std::size_t nth = number(name.substr(kLink.size()));
    return saga::run(argc - 1, argv + 1, Links::at(nth, nth + 1 == links));
}
